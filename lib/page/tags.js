'use strict';

// The tags of the servers: a column for each of the most common, and counts by the values of one of them.

/** How many tags have a column. The tag that groups has one too. */
const MAX_TAG_COLUMNS = 5;
/** The most values that are shown: those with the most servers. */
const MAX_GROUPS = 12;
/** Until the user chooses, the servers are grouped by the tag that all failed ones share, or the first of these with several values. */
const DEFAULT_GROUPS = ['version', 'zone'];

/** 1.10.0 comes after 1.9.0. */
const collator = new Intl.Collator('en', { numeric: true });

/** The tag that the servers are grouped by; empty: none; undefined: not chosen yet. @type {string | undefined} */
let chosenGroup;
/** The only value that is shown. @type {string | undefined} */
let groupFilter;
/** Keys of the tags that have a column. @type {string[]} */
let tagColumns = [];

/** @typedef {{ value: string, online: number, total: number, states: Map<string, number> }} Group with its servers by state */

/**
 * @param {Member} member
 * @param {string} key
 */
const tagOf = ({ tags }, key) => (tags && Object.hasOwn(tags, key) ? String(tags[key]) : '');

/** @param {{ tags?: Member['tags'] }} server */
const tagsText = ({ tags }) =>
  Object.entries(tags ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

/**
 * The keys of all tags, those of most servers first.
 * @param {Status} status
 */
function tagKeys({ members }) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { tags } of members) {
    for (const key of Object.keys(tags ?? {})) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([key]) => key);
}

/**
 * A tag that all failed servers have and no others, such as their zone.
 * @param {Member[]} expected
 */
function sharedTag(expected) {
  const failed = expected.filter(hasFailed);
  if (failed.length < 2 || failed.length === expected.length) return;
  for (const [key, value] of Object.entries(failed[0].tags ?? {})) {
    if (expected.every((it) => hasFailed(it) === (tagOf(it, key) === value))) return { key, value };
  }
}

/**
 * @param {Member[]} members
 * @param {string[]} keys of all tags
 */
function groupKey(members, keys) {
  if (chosenGroup !== undefined) return keys.includes(chosenGroup) ? chosenGroup : '';
  const expected = members.filter((it) => !hasLeft(it));
  const hasSeveral = (/** @type {string} */ key) => new Set(expected.map((it) => tagOf(it, key))).size > 1;
  return sharedTag(expected)?.key ?? DEFAULT_GROUPS.find((key) => keys.includes(key) && hasSeveral(key)) ?? '';
}

/**
 * Renders everything about tags but the rows.
 * @param {Status} status
 * @returns {boolean} whether other tags have a column now
 */
function renderTags(status) {
  const keys = tagKeys(status);
  const key = groupKey(status.members, keys);
  renderGroupChoice(keys, key);
  renderGroups(key ? groupsOf(status.members, key) : []);
  const columns = [...new Set([...keys.slice(0, MAX_TAG_COLUMNS), ...(key && [key])])];
  const isChanged = columns.join() !== tagColumns.join();
  tagColumns = columns;
  return isChanged;
}

/**
 * @param {string[]} keys
 * @param {string} key
 */
function renderGroupChoice(keys, key) {
  const select = selectById('group');
  byId('grouping').hidden = keys.length === 0;
  const sorted = ['', ...[...keys].sort()];
  if ([...select.options].map(({ value }) => value).join() !== sorted.join()) {
    select.replaceChildren(...sorted.map((value) => makeOption(value || 'nothing', value)));
  }
  if (select.value !== key) select.value = key;
}

/**
 * @param {Member[]} members
 * @param {string} key
 * @returns {Group[]} by value, so that each keeps its place while servers change
 */
function groupsOf(members, key) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const member of members) {
    if (hasLeft(member)) continue;
    const value = tagOf(member, key);
    const group = groups.get(value) ?? { value, online: 0, total: 0, states: new Map() };
    groups.set(value, group);
    group.total += 1;
    if (member.state !== 'offline') group.online += 1;
    group.states.set(stateOf(member), (group.states.get(stateOf(member)) ?? 0) + 1);
  }
  return [...groups.values()].sort((a, b) => collator.compare(a.value, b.value));
}

/** @param {Group[]} groups */
function renderGroups(groups) {
  const largest = new Set([...groups].sort((a, b) => b.total - a.total).slice(0, MAX_GROUPS));
  const shown = groups.filter((group) => largest.has(group));
  if (groupFilter !== undefined && !groups.some(({ value }) => value === groupFilter)) groupFilter = undefined;
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.value;
  const buttons = shown.map(groupButton);
  const rest = groups.length - shown.length;
  const note = rest > 0 ? [`and ${rest} more values`] : [];
  showChildren(byId('groups'), [...buttons, ...note]);
  // A new button does not have the focus of the one that it replaces.
  if (focused !== undefined) buttons.find((it) => it.isConnected && it.dataset.value === focused)?.focus();
}

/**
 * A button with the value, how many of its servers are online, and a bar of their states.
 * @param {Group} group
 */
function groupButton({ value, online, total, states }) {
  const count =
    online === total
      ? make('b', '', String(total))
      : make('b', online === 0 ? 'failed' : '', `${online} of ${total} online`);
  const order = Object.keys(MARKS).reverse();
  const bar = make('span', 'bar', ...order.filter((it) => states.has(it)).map((it) => barPart(it, states.get(it))));
  const button = makeButton(make('span', 'value', value || `no ${selectById('group').value}`), ' ', count, bar);
  button.className = 'group';
  button.dataset.value = value;
  button.setAttribute('aria-pressed', String(groupFilter === value));
  button.addEventListener('click', () => {
    // The groups must not change under a filter.
    chosenGroup = selectById('group').value;
    groupFilter = groupFilter === value ? undefined : value;
    if (session.status) renderMembers(session.status);
  });
  return button;
}

/** @param {string} state @param {number} [width] */
function barPart(state, width) {
  const part = make('span', state);
  part.style.flexGrow = String(width);
  return part;
}

/** @param {Member} member */
function isInGroup(member) {
  return groupFilter === undefined || tagOf(member, selectById('group').value) === groupFilter;
}

function chooseGroup() {
  chosenGroup = selectById('group').value;
  groupFilter = undefined;
}

function forgetTags() {
  chosenGroup = undefined;
  groupFilter = undefined;
  tagColumns = [];
  byId('grouping').hidden = true;
  selectById('group').replaceChildren();
}
