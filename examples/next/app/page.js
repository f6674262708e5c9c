import { shazbotServers } from 'clustershazbot';

export const dynamic = 'force-dynamic';

export default function Page() {
  return (
    <ul>
      {shazbotServers().map(({ baseUrl }) => (
        <li key={baseUrl}>{baseUrl}</li>
      ))}
    </ul>
  );
}
