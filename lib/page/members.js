'use strict';

// The servers: counts by state, filter, sort order and the rows that match.

/** How many rows are shown before "Show all". */
const FIRST_ROWS = 200;
const FIRST_SORT = 'state';
/** Up to this number the table leaves space for other sections below it. */
const FEW_SERVERS = 15;

let stateFilter = '';
let sort = { by: FIRST_SORT, isDescending: false };
let showsAll = false;

/** @param {Status} status */
function renderMembers(status) {
  byId('content').classList.toggle('few', status.members.length <= FEW_SERVERS);
  const hasOtherTags = renderTags(status);
  if (updatePackageColumn(status) || hasOtherTags) createHeads();
  renderCounts(status);
  renderRows(status);
}

/** @param {Status} status */
function renderCounts({ members }) {
  const counts = Object.fromEntries(Object.keys(MARKS).map((state) => [state, 0]));
  for (const member of members) counts[stateOf(member)] += 1;
  for (const [state, count] of Object.entries(counts)) {
    const button = countButton(state);
    button.setAttribute('aria-pressed', String(stateFilter === state));
    button.hidden = count === 0 && stateFilter !== state;
    setText(/** @type {Element} */ (button.firstElementChild), String(count));
  }
  // The headline has said how many there are.
  byId('counts').hidden = !stateFilter && Object.values(counts).filter(Boolean).length < 2;
}

/** @param {string} state */
function countButton(state) {
  const existing = byId('state-choices').querySelector(`[data-state="${state}"]`);
  if (existing) return /** @type {HTMLButtonElement} */ (existing);
  const button = makeButton(make('b', ''), ' ', stateMark(state));
  button.dataset.state = state;
  button.title = MEANINGS[state];
  button.addEventListener('click', () => {
    stateFilter = stateFilter === state ? '' : state;
    if (session.status) renderMembers(session.status);
    // On a phone the list is further down.
    if (stateFilter && byId('members').getBoundingClientRect().top > innerHeight / 2) byId('members').scrollIntoView();
  });
  byId('state-choices').append(button);
  return button;
}

/** @param {Status} status */
function renderRows(status) {
  const found = sortMembers(status.members.filter(matchesFilter));
  // Where addresses change with each deployment, those that left would fill the table.
  const matching = stateFilter || filterText() ? found : found.filter((it) => !hasLeft(it));
  const shown = showsAll ? matching : matching.slice(0, FIRST_ROWS);
  showRows(shown, status.baseUrl);
  byId('table').classList.toggle('no-reasons', !shown.some(reasonOf));
  const isCut = shown.length < matching.length;
  const folded = found.length - matching.length;
  const notes = [
    ...(isCut ? [`The first ${shown.length} of ${matching.length}.`] : []),
    ...(folded > 0
      ? [`${countOf(folded, 'server')} that left ${folded === 1 ? 'is' : 'are'} hidden: “left” above shows them.`]
      : []),
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
  const { key } = allColumns()[sort.by] ?? COLUMNS[FIRST_SORT];
  const sign = sort.isDescending ? -1 : 1;
  const compare = (/** @type {string | number} */ x, /** @type {string | number} */ y) =>
    typeof x === 'number' ? x - Number(y) : collator.compare(x, String(y));
  const keyed = members.map((member) => ({ member, left: hasLeft(member), key: key(member) }));
  keyed.sort(
    (a, b) =>
      Number(a.left) - Number(b.left) ||
      sign * compare(a.key, b.key) ||
      collator.compare(a.member.baseUrl, b.member.baseUrl),
  );
  return keyed.map(({ member }) => member);
}

/**
 * Creates the heads of the columns and the choices of the sort order, and forgets the rows, which have other columns.
 */
function createHeads() {
  forgetRows();
  const heads = Object.entries(allColumns()).map(([name, { label, className = '' }]) => {
    const button = makeButton(label);
    button.addEventListener('click', () => sortBy(name, sort.by === name && !sort.isDescending));
    const head = /** @type {HTMLTableCellElement} */ (make('th', className, button));
    head.scope = 'col';
    head.dataset.name = name;
    return head;
  });
  byId('heads').replaceChildren(...heads);
  selectById('sort').replaceChildren(
    ...Object.entries(allColumns()).map(([name, { label }]) => makeOption(label, name)),
  );
  showSort();
}

/**
 * @param {string} by
 * @param {boolean} isDescending
 */
function sortBy(by, isDescending) {
  sort = { by, isDescending };
  showSort();
  if (session.status) renderRows(session.status);
}

function showSort() {
  for (const head of /** @type {Iterable<HTMLElement>} */ (byId('heads').children)) {
    if (head.dataset.name !== sort.by) head.removeAttribute('aria-sort');
    else head.setAttribute('aria-sort', sort.isDescending ? 'descending' : 'ascending');
  }
  selectById('sort').value = sort.by;
  byId('reverse').setAttribute('aria-pressed', String(sort.isDescending));
}

/** Groups by the tag that the user has chosen. */
function regroup() {
  chooseGroup();
  if (!session.status) return;
  renderMembers(session.status);
}

function showAllRows() {
  showsAll = true;
  if (session.status) renderRows(session.status);
}

function forgetMembers() {
  forgetTags();
  sort = { by: FIRST_SORT, isDescending: false };
  stateFilter = '';
  showsAll = false;
  inputById('filter').value = '';
  createHeads();
}
