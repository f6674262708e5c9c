// `lib/why.js` as the scripts of the page see it: in their scope, since `lib/page.js` puts it before them.

declare const why: typeof import('../why.js').why;
declare const causeOf: typeof import('../why.js').causeOf;
