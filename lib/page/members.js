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

/** Those that each server has; tags have further ones. @type {Record<string, Column>} */
const COLUMNS = {
  state: { label: 'State', key: (it) => Object.keys(MARKS).indexOf(stateOf(it)) },
  baseUrl: { label: 'Server', className: 'url', key: (it) => it.baseUrl },
  reason: { label: 'Reason', key: reasonOf },
  duration: { label: 'For', className: 'number', isLabelled: true, key: (it) => -it.changedAt },
  answered: { label: 'Answered', className: 'number', isLabelled: true, key: (it) => -(it.answered ?? 0) },
  failures: { label: 'Failures', className: 'number', isLabelled: true, key: (it) => it.failures },
  protocol: {
    label: 'Protocol',
    className: 'number',
    isLabelled: true,
    key: (it) => `${it.protocol} ${it.version ?? ''}`,
  },
};
let stateFilter = '';
let sort = { by: 'baseUrl', isDescending: false };
let showsAll = false;
/** @type {Map<string, Row>} By base URL. */
const rows = new Map();

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
  const { state, baseUrl, ...others } = COLUMNS;
  const tags = Object.fromEntries(tagColumns.map((key) => [tagColumnName(key), column(key)]));
  return { state, baseUrl, ...tags, ...others };
}

/** @param {Status} status */
function renderMembers(status) {
  if (renderTags(status)) createHeads();
  renderCounts(status);
  renderRows(status);
}

/** @param {Status} status */
const countOnline = ({ members }) => members.filter(({ state }) => state !== 'offline').length;

/**
 * How many servers should be online. Those that left in order are not expected back: they must not look like an outage.
 * @param {Status} status
 */
const countExpected = ({ members }) => members.filter((it) => !hasLeft(it)).length;

/** @param {Status} status */
function renderCounts(status) {
  const counts = Object.fromEntries(Object.keys(MARKS).map((state) => [state, 0]));
  for (const member of status.members) counts[stateOf(member)] += 1;
  setText(byId('members-title'), `Servers: ${countOnline(status)} of ${countExpected(status)} online`);
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
  const found = sortMembers(status.members.filter(matchesFilter));
  // Where addresses change with each deployment, those that left would fill the table.
  const matching = stateFilter || filterText() ? found : found.filter((it) => !hasLeft(it));
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
  const folded = found.length - matching.length;
  const notes = [
    ...(isCut ? [`The first ${shown.length} of ${matching.length}.`] : []),
    ...(folded > 0 ? [`${folded} left in order: “left” above shows them.`] : []),
  ];
  setText(byId('shown'), found.length === 0 ? 'No server matches.' : notes.join(' '));
  byId('more').hidden = !isCut;
}

const filterText = () => inputById('filter').value.trim().toLowerCase();

/** @param {Member} member */
function matchesFilter(member) {
  if (stateFilter && stateOf(member) !== stateFilter) return false;
  if (!isInGroup(member)) return false;
  const text = filterText();
  return (
    !text || `${member.baseUrl} ${stateOf(member)} ${reasonOf(member)} ${tagsText(member)}`.toLowerCase().includes(text)
  );
}

/** @param {Member[]} members */
function sortMembers(members) {
  const { key } = /** @type {Column} */ (allColumns()[sort.by] ?? COLUMNS.baseUrl);
  const sign = sort.isDescending ? -1 : 1;
  return members.sort((a, b) => {
    if (hasLeft(a) !== hasLeft(b)) return hasLeft(a) ? 1 : -1;
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
  const cells = /** @type {Record<string, HTMLElement>} */ ({});
  for (const [name, { label, className = '', isLabelled }] of Object.entries(allColumns())) {
    const cell = make('td', className);
    if (isLabelled) cell.dataset.label = label;
    cells[name] = cell;
  }
  const monitor = make('span', 'tag', 'monitor');
  cells.baseUrl.append(isOwn ? member.baseUrl : pageLink(member.baseUrl));
  if (isOwn) cells.baseUrl.append(make('span', 'tag', 'this server'));
  cells.baseUrl.append(monitor);
  const element = make('tr', '', ...Object.values(cells));
  const keys = tagColumns;
  let state = '';
  let current = member;
  const tick = () => {
    setText(cells.duration, durationSince(current.changedAt));
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
      setText(cells.protocol, next.version ? `${next.protocol} (${next.version})` : String(next.protocol));
      for (const key of keys) setText(cells[tagColumnName(key)], tagOf(next, key));
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

/** Creates the heads of the columns, and forgets the rows, which have other columns. */
function createHeads() {
  for (const row of rows.values()) row.element.remove();
  rows.clear();
  byId('heads').replaceChildren();
  for (const [name, { label }] of Object.entries(allColumns())) {
    const button = makeButton(label);
    const head = /** @type {HTMLTableCellElement} */ (make('th', '', button));
    head.scope = 'col';
    if (name === sort.by) head.setAttribute('aria-sort', sort.isDescending ? 'descending' : 'ascending');
    button.addEventListener('click', () => {
      sort = { by: name, isDescending: sort.by === name && !sort.isDescending };
      for (const other of byId('heads').children) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', sort.isDescending ? 'descending' : 'ascending');
      if (session.status) renderRows(session.status);
    });
    byId('heads').append(head);
  }
}

/** Groups by the tag that the user has chosen. */
function regroup() {
  chooseGroup();
  const { value } = selectById('group');
  sort = { by: value ? tagColumnName(value) : 'baseUrl', isDescending: false };
  if (session.status) renderMembers(session.status);
  createHeads();
  if (session.status) renderRows(session.status);
}

function showAllRows() {
  showsAll = true;
  if (session.status) renderRows(session.status);
}

function forgetMembers() {
  forgetTags();
  sort = { by: 'baseUrl', isDescending: false };
  createHeads();
  stateFilter = '';
  inputById('filter').value = '';
  for (const button of document.querySelectorAll('#counts button')) button.remove();
}
