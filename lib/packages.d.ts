/** The packages with the native binary, one per platform. Only the one for this platform is installed. */
declare module 'clustershazbot-*' {
  const binary: typeof import('./native');
  export = binary;
}
