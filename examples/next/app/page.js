// Lists the servers that are online.

import { shazbotServers } from 'clustershazbot';

// The list changes from request to request.
export const dynamic = 'force-dynamic';

export default function Page() {
  return (
    <ul>
      {shazbotServers().map(({ baseUrl, self }) => (
        <li key={baseUrl}>
          {baseUrl} {self && '(this server)'}
        </li>
      ))}
    </ul>
  );
}
