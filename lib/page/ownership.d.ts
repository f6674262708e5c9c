// `lib/cli/ownership.js` as the scripts of the page see it: in their scope, since `lib/page.js` puts it before them.

declare const isSettled: typeof import('../cli/ownership.js').isSettled;
declare const mayOwn: typeof import('../cli/ownership.js').mayOwn;
declare const ownersOf: typeof import('../cli/ownership.js').ownersOf;
