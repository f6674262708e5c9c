'use strict';

// The columns and rows of the table of servers.

/**
 * @typedef {object} Column
 * @property {string} label
 * @property {string} [className]
 * @property {boolean} [isLabelled] whether narrow screens show the label in each row
 * @property {(member: Member) => string | number} key to sort by
 *
 * @typedef {{ element: HTMLElement, update: (member: Member) => void, tick: () => void }} Row
 */

/** Those that each server has; tags have further ones. @type {Record<string, Column>} */
const COLUMNS = {
  state: { label: 'State', className: 'state-cell', key: (it) => Object.keys(MARKS).indexOf(stateOf(it)) },
  baseUrl: { label: 'Server', className: 'server', key: (it) => it.baseUrl },
  reason: { label: 'Why', className: 'why', key: reasonOf },
  since: { label: 'Since', className: 'number since', key: (it) => -it.changedAt },
  package: { label: 'Package', className: 'number', isLabelled: true, key: packageOf },
};

/** Whether the servers run several versions of this package. */
let hasPackageColumn = false;
/** @type {Map<string, Row>} By base URL. */
const rows = new Map();

/** The version of clustershazbot that a server runs. @param {Member} member */
function packageOf({ version, protocol }) {
  return version ?? (protocol === 1 ? '1' : '');
}

/** @param {Status} status @returns {boolean} whether the column appears or disappears */
function updatePackageColumn({ members }) {
  const before = hasPackageColumn;
  hasPackageColumn =
    new Set(
      members
        .filter((it) => !hasLeft(it))
        .map(packageOf)
        .filter(Boolean),
    ).size > 1;
  return before !== hasPackageColumn;
}

/** No other column has such a name. @param {string} key */
const tagColumnName = (key) => `tag ${key}`;

/** All columns that are shown. @returns {Record<string, Column>} */
function allColumns() {
  const column = (/** @type {string} */ key) => ({
    label: key,
    className: 'tagged',
    isLabelled: true,
    key: (/** @type {Member} */ it) => tagOf(it, key),
  });
  const { package: ofPackage, ...others } = COLUMNS;
  const tags = Object.fromEntries(tagColumns.map((key) => [tagColumnName(key), column(key)]));
  return { ...others, ...tags, ...(hasPackageColumn && { package: ofPackage }) };
}

/**
 * Shows these servers in this order.
 * @param {Member[]} members
 * @param {string} ownUrl
 */
function showRows(members, ownUrl) {
  const body = byId('rows');
  const restore = rememberFocus(body);
  const urls = new Set(members.map(({ baseUrl }) => baseUrl));
  for (const [url, row] of rows) {
    if (urls.has(url)) continue;
    row.element.remove();
    rows.delete(url);
  }
  let next = body.firstElementChild;
  for (const member of members) {
    const row = rows.get(member.baseUrl) ?? createRow(member, member.baseUrl === ownUrl);
    rows.set(member.baseUrl, row);
    row.update(member);
    if (next === row.element) next = next.nextElementSibling;
    else body.insertBefore(row.element, next);
  }
  restore();
}

/**
 * A row that moves loses the focus and the selection.
 * @param {Element} body
 * @returns {() => void} gives both back
 */
function rememberFocus(body) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const selection = getSelection();
  const { anchorNode, anchorOffset = 0, focusNode, focusOffset = 0 } = selection ?? {};
  return () => {
    if (body.contains(focused) && focused !== document.activeElement) focused?.focus({ preventScroll: true });
    const isMoved = selection?.anchorNode !== anchorNode || selection?.focusNode !== focusNode;
    if (!isMoved || !anchorNode || !focusNode || !anchorNode.isConnected || !focusNode.isConnected) return;
    selection?.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
  };
}

/**
 * @param {Member} member
 * @param {boolean} isOwn whether it is the server that serves this page
 * @returns {Row}
 */
function createRow(member, isOwn) {
  const cells = /** @type {Record<string, HTMLElement>} */ ({});
  for (const [name, { label, className = '', isLabelled }] of Object.entries(allColumns())) {
    const cell = make('td', className);
    if (isLabelled) cell.dataset.label = printableText(label);
    cells[name] = cell;
  }
  const { baseUrl } = member;
  const button = makeButton();
  button.className = 'link';
  button.addEventListener('click', () => openDetails(baseUrl));
  const monitor = make('span', 'tag', 'monitor');
  const notReady = make('span', 'tag', 'not ready');
  cells.baseUrl.append(button, ...(isOwn ? [make('span', 'tag', 'this server')] : []), monitor, notReady);
  const element = make('tr', '', ...Object.values(cells));
  const keys = tagColumns;
  let state = '';
  let version = -1;
  let { changedAt } = member;
  const reason = make('div', '');
  cells.reason.append(reason);
  const tick = () => setText(cells.since, durationSince(changedAt));
  return {
    element,
    tick,
    update(next) {
      changedAt = next.changedAt;
      if (stateOf(next) !== state) {
        if (state) flash(element);
        state = stateOf(next);
        cells.state.replaceChildren(stateMark(state));
      }
      if (version !== namesVersion) button.replaceChildren(nameElement(baseUrl));
      version = namesVersion;
      monitor.hidden = !next.monitor;
      notReady.hidden = next.ready !== false || next.state === 'offline';
      setCutText(reason, reasonOf(next));
      if (cells.package) setText(cells.package, packageOf(next));
      for (const key of keys) setCutText(cells[tagColumnName(key)], tagOf(next, key));
      tick();
    },
  };
}

function forgetRows() {
  for (const row of rows.values()) row.element.remove();
  rows.clear();
}
