'use strict';

// Unlocks and locks the page, polls the status and shows it.

const POLL_MS = 2000;
const TICK_MS = 1000;
const LOCKED_TITLE = 'Cluster';

/** @type {ReturnType<typeof setTimeout> | undefined} */
let pollTimer;

async function poll() {
  clearTimeout(pollTimer);
  const polled = session;
  if (!polled.secret) return;
  try {
    const answer = await request('status', { headers: polled.etag ? { 'If-None-Match': polled.etag } : {} });
    const status = answer.status === 200 ? await answer.json() : undefined;
    const error = answer.status === 200 || answer.status === 304 ? '' : await errorOf(answer);
    // The page was locked meanwhile.
    if (polled !== session) return;
    if (answer.status === 401) return lock('The secret is not the control secret of this server.');
    if (error) return fail(error);
    if (status) {
      polled.etag = answer.headers.get('etag') ?? '';
      acceptStatus(status);
      render(status);
    }
    polled.failingSince = 0;
  } catch (error) {
    if (polled !== session) return;
    // Headers have only Latin-1 characters, so the browser sent nothing.
    if (error instanceof TypeError && [...polled.secret].some((letter) => letter > 'ÿ')) {
      return lock('The secret has characters that no secret may have.');
    }
    return fail('it does not answer');
  }
  scheduleNext();
}

/** @param {string} reason */
function fail(reason) {
  if (!session.status) return lock(`This server cannot show the cluster: ${reason}.`);
  session.failingSince ||= performance.now();
  session.failure = reason;
  scheduleNext();
}

function scheduleNext() {
  tick();
  pollTimer = setTimeout(poll, POLL_MS);
}

/** @param {Status} status */
function render(status) {
  const wasLocked = byId('app').hidden;
  byId('login').hidden = true;
  byId('app').hidden = false;
  updateNames(status);
  byId('own').replaceChildren(nameElement(status.baseUrl));
  byId('own-state').replaceChildren(...(status.state === 'online' ? [] : [stateMark(status.state)]));
  renderHeadline();
  renderWarnings(status);
  renderDrainButton(status);
  renderMembers(status);
  renderChanges(status);
  if (dialogById('server').open) renderDetails(status);
  // The focus was on the login form, which is hidden now.
  if (wasLocked) byId('title').focus();
}

/** Updates everything that changes with time alone. */
function tick() {
  const { status } = session;
  if (!status) return;
  renderHeadline();
  for (const row of rows.values()) row.tick();
  tickChanges();
  renderOwner();
  renderMasterLists(status);
  renderTraffic(status);
}

function lock(reason = '') {
  clearTimeout(pollTimer);
  startSession();
  forgetNames();
  forgetMembers();
  forgetChanges();
  forgetOwner();
  // Hidden elements could still be inspected.
  for (const element of document.querySelectorAll('[data-sensitive]')) element.replaceChildren();
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  byId('app').hidden = true;
  byId('login').hidden = false;
  setText(byId('refused'), reason);
  document.title = LOCKED_TITLE;
  byId('secret').focus();
}

/** @param {SubmitEvent} event */
function unlock(event) {
  event.preventDefault();
  startSession(inputById('secret').value);
  inputById('secret').value = '';
  setText(byId('refused'), '');
  poll();
}

createHeads();
byId('form').addEventListener('submit', unlock);
byId('filter').addEventListener('input', () => session.status && renderRows(session.status));
byId('owner-key').addEventListener('input', renderOwner);
byId('group').addEventListener('change', regroup);
byId('sort').addEventListener('change', () => sortBy(selectById('sort').value, false));
byId('reverse').addEventListener('click', () => sortBy(sort.by, !sort.isDescending));
byId('more').addEventListener('click', showAllRows);
byId('lock').addEventListener('click', () => lock());
byId('drain').addEventListener('click', () => confirmDrain(poll));
byId('close').addEventListener('click', () => dialogById('server').close());
byId('no').addEventListener('click', () => dialogById('dialog').close());
// So that the keyboard can scroll them.
for (const list of ['changes', 'warnings']) byId(list).tabIndex = 0;
setInterval(tick, TICK_MS);
byId('secret').focus();
