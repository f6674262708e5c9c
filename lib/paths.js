'use strict';

// Compares the paths of requests exactly. Frameworks may ignore case and decode characters, and a proxy that guards
// `/clustershazbot/` does not.

/** The path of the routes below the base URL of a server. Other servers expect them there. */
const MOUNT = '/clustershazbot';

/**
 * The path below `/clustershazbot`, or undefined if the request is for another path.
 * @param {string} url without the mount, if a framework has removed it
 * @param {string} originalUrl
 */
function pathBelowMount(url, originalUrl) {
  const path = pathOf(url);
  const isMounted = !(path === MOUNT || path.startsWith(`${MOUNT}/`));
  // A framework that removes the mount leaves a slash.
  const end = isMounted ? `${MOUNT}${path === '/' ? '' : path}` : path;
  const original = pathOf(originalUrl);
  if (isMounted && !original.endsWith(end)) return undefined;
  const before = original.endsWith(end) ? original.slice(0, -end.length) : '';
  // A second mount in front of this one: the framework has compared it without case.
  if (`${before}/`.toLowerCase().includes(`${MOUNT}/`)) return undefined;
  return end.slice(MOUNT.length) || '/';
}

/**
 * Whether a URL ends with a path, apart from its query and a final slash.
 * @param {string} url
 * @param {string} path
 */
function endsWithPath(url, path) {
  return pathOf(url).endsWith(pathOf(path));
}

/**
 * The path of a URL without its query and its final slash: Express treats both forms of a path alike.
 * @param {string} url
 */
function pathOf(url) {
  const path = /** @type {string} */ (url.split('?', 1)[0]);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

module.exports = { MOUNT, endsWithPath, pathBelowMount };
