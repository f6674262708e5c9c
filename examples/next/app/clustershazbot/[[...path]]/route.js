// The routes of the cluster.

import { shazbotHandler } from 'clustershazbot/fetch-handler';

// The answers change from request to request.
export const dynamic = 'force-dynamic';

const shazbot = shazbotHandler();

export { shazbot as GET, shazbot as POST };
