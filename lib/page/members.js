'use strict';

// The table of servers: counts by state, filter, sort order and rows.

/** How many rows are shown before "Show all". */
const FIRST_ROWS = 200;

/**
 * @typedef {object} Column
 * @property {string} label
 * @property {string} [className]
 * @property {boolean} [isLabelled] whether narrow screens show the label in each row
 * @property {(member: Member) => string | number} key to sort by
 *
 * @typedef {{ element: HTMLElement, update: (member: Member) => void, tick: () => void }} Row
 */

/** @type {Record<'state' | 'baseUrl' | 'reason' | 'updated' | 'answered' | 'failures' | 'protocol', Column>} */
const COLUMNS = {
  state: { label: 'State', key: (it) => Object.keys(MARKS).indexOf(stateOf(it)) },
  baseUrl: { label: 'Server', className: 'url', key: (it) => it.baseUrl },
  reason: { label: 'Reason', key: reasonOf },
  updated: { label: 'Updated', className: 'number', isLabelled: true, key: (it) => -it.lastUpdate },
  answered: { label: 'Answered', className: 'number', isLabelled: true, key: (it) => -(it.answered ?? 0) },
  failures: { label: 'Failures', className: 'number', isLabelled: true, key: (it) => it.failures },
  protocol: { label: 'Protocol', className: 'number', isLabelled: true, key: (it) => it.protocol },
};
/** @typedef {keyof typeof COLUMNS} ColumnName */

let stateFilter = '';
let sort = { by: /** @type {ColumnName} */ ('baseUrl'), isDescending: false };
let showsAll = false;
/** @type {Map<string, Row>} By base URL. */
const rows = new Map();

/** @param {Status} status */
function renderMembers(status) {
  renderCounts(status);
  renderRows(status);
}

/** @param {Status} status */
const countOnline = ({ members }) => members.filter(({ state }) => state !== 'offline').length;

/** @param {Status} status */
function renderCounts(status) {
  const counts = Object.fromEntries(Object.keys(MARKS).map((state) => [state, 0]));
  for (const member of status.members) counts[stateOf(member)] += 1;
  setText(byId('members-title'), `Servers: ${countOnline(status)} of ${status.members.length} online`);
  for (const [state, count] of Object.entries(counts)) {
    const button = countButton(state);
    button.setAttribute('aria-pressed', String(stateFilter === state));
    button.hidden = count === 0 && stateFilter !== state;
    setText(/** @type {Element} */ (button.lastElementChild), String(count));
  }
}

/** @param {string} state */
function countButton(state) {
  const existing = byId('counts').querySelector(`[data-state="${state}"]`);
  if (existing) return /** @type {HTMLButtonElement} */ (existing);
  const button = makeButton(stateMark(state), ' ', make('b', ''));
  button.dataset.state = state;
  button.addEventListener('click', () => {
    stateFilter = stateFilter === state ? '' : state;
    if (session.status) renderMembers(session.status);
  });
  byId('counts').append(button);
  return button;
}

/** @param {Status} status */
function renderRows(status) {
  const matching = sortMembers(status.members.filter(matchesFilter));
  const shown = showsAll ? matching : matching.slice(0, FIRST_ROWS);
  const body = byId('rows');
  const shownUrls = new Set(shown.map(({ baseUrl }) => baseUrl));
  shown.forEach((member, i) => {
    const row = rows.get(member.baseUrl) ?? createRow(member, member.baseUrl === status.baseUrl);
    rows.set(member.baseUrl, row);
    row.update(member);
    if (body.children[i] !== row.element) body.insertBefore(row.element, body.children[i] ?? null);
  });
  for (const [url, row] of rows) {
    if (shownUrls.has(url)) continue;
    row.element.remove();
    rows.delete(url);
  }
  const isCut = shown.length < matching.length;
  const cut = isCut ? `The first ${shown.length} of ${matching.length}.` : '';
  setText(byId('shown'), matching.length === 0 ? 'No server matches.' : cut);
  byId('more').hidden = !isCut;
}

/** @param {Member} member */
function matchesFilter(member) {
  if (stateFilter && stateOf(member) !== stateFilter) return false;
  const text = inputById('filter').value.trim().toLowerCase();
  return !text || `${member.baseUrl} ${stateOf(member)} ${reasonOf(member)}`.toLowerCase().includes(text);
}

/** @param {Member[]} members */
function sortMembers(members) {
  const { key } = COLUMNS[sort.by];
  const sign = sort.isDescending ? -1 : 1;
  return members.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x < y ? -sign : x > y ? sign : a.baseUrl < b.baseUrl ? -1 : 1;
  });
}

/**
 * @param {Member} member
 * @param {boolean} isOwn whether it is the server that serves this page
 * @returns {Row}
 */
function createRow(member, isOwn) {
  const cells = /** @type {Record<ColumnName, HTMLElement>} */ ({});
  for (const [name, { label, className = '', isLabelled }] of Object.entries(COLUMNS)) {
    const cell = make('td', className);
    if (isLabelled) cell.dataset.label = label;
    cells[/** @type {ColumnName} */ (name)] = cell;
  }
  const monitor = make('span', 'tag', 'monitor');
  cells.baseUrl.append(isOwn ? member.baseUrl : pageLink(member.baseUrl));
  if (isOwn) cells.baseUrl.append(make('span', 'tag', 'this server'));
  cells.baseUrl.append(monitor);
  const element = make('tr', '', ...Object.values(cells));
  let state = '';
  let current = member;
  const tick = () => {
    setText(cells.updated, timeSince(current.lastUpdate));
    setText(cells.answered, isOwn ? '–' : timeSince(current.answered));
  };
  return {
    element,
    tick,
    update(next) {
      current = next;
      if (stateOf(next) !== state) {
        if (state) flash(element);
        state = stateOf(next);
        cells.state.replaceChildren(stateMark(state));
      }
      monitor.hidden = !next.monitor;
      setText(cells.reason, reasonOf(next));
      setText(cells.failures, String(next.failures));
      setText(cells.protocol, String(next.protocol));
      tick();
    },
  };
}

/**
 * A link to the page of another server. A peer may claim any text as its URL.
 * @param {string} baseUrl
 */
function pageLink(baseUrl) {
  if (!/^https?:\/\//.test(baseUrl)) return document.createTextNode(baseUrl);
  const anchor = /** @type {HTMLAnchorElement} */ (make('a', '', baseUrl));
  anchor.href = `${baseUrl}clustershazbot`;
  anchor.rel = 'noreferrer';
  return anchor;
}

function createHeads() {
  for (const name of /** @type {ColumnName[]} */ (Object.keys(COLUMNS))) {
    const button = makeButton(COLUMNS[name].label);
    const head = /** @type {HTMLTableCellElement} */ (make('th', '', button));
    head.scope = 'col';
    if (name === sort.by) head.setAttribute('aria-sort', 'ascending');
    button.addEventListener('click', () => {
      sort = { by: name, isDescending: sort.by === name && !sort.isDescending };
      for (const other of byId('heads').children) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', sort.isDescending ? 'descending' : 'ascending');
      if (session.status) renderRows(session.status);
    });
    byId('heads').append(head);
  }
}

function showAllRows() {
  showsAll = true;
  if (session.status) renderRows(session.status);
}

function forgetMembers() {
  rows.clear();
  stateFilter = '';
  inputById('filter').value = '';
  for (const button of document.querySelectorAll('#counts button')) button.remove();
}
