/** The platform packages, of which only the one that fits is installed. */
declare module 'clustershazbot-*' {
  const binary: typeof import('./native');
  export = binary;
}
