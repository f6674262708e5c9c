'use strict';

// Bundlers put this file into code for browsers instead of the package, which runs on servers only.

if (typeof process === 'undefined' || !process.versions?.node) {
  throw new Error(
    'clustershazbot runs on servers only: import it in a file that no code for the browser imports. Frameworks that render on ' +
      'the server leave it alone if it is external, for example serverExternalPackages of Next.js.',
  );
}

// Jest asks for the code of browsers where it simulates one. Hidden from bundlers, which would follow it.
module.exports = /** @type {any} */ (module).require('../index.js');
