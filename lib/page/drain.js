'use strict';

// Drains the server that serves this page or puts it back online, after a confirmation.

/** @param {Status} status */
function renderDrainButton({ state }) {
  setText(byId('drain'), state === 'drained' ? 'Put back online …' : 'Drain …');
  byId('drain').hidden = state === 'left';
}

/** @param {() => Promise<void>} onChanged called once the server has changed its state */
function confirmDrain(onChanged) {
  if (!session.status) return;
  const { state, baseUrl } = session.status;
  const drains = state !== 'drained';
  const effect = drains
    ? `All servers will list ${nameOf(baseUrl)} offline until it is put back online or restarted. It keeps running.`
    : `All servers will list ${nameOf(baseUrl)} online.`;
  setText(byId('question'), drains ? 'Drain this server?' : 'Put this server back online?');
  setText(byId('explained'), effect);
  setText(byId('yes'), drains ? 'Drain' : 'Put back online');
  setText(byId('failed'), '');
  byId('yes').onclick = () => setOnline(!drains, onChanged);
  dialogById('dialog').showModal();
}

/**
 * @param {boolean} online
 * @param {() => Promise<void>} onChanged
 */
async function setOnline(online, onChanged) {
  try {
    const body = JSON.stringify({ message: 'control', online });
    const headers = { 'Content-Type': 'application/json' };
    const answer = await request('control', { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(await errorOf(answer));
    dialogById('dialog').close();
    await onChanged();
  } catch (error) {
    setText(byId('failed'), `That failed: ${/** @type {Error} */ (error).message}`);
  }
}
