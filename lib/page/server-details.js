'use strict';

// The dialog with all that is known of one server.

/** The server whose details are shown. */
let detailedUrl = '';

/** @param {string} baseUrl */
function openDetails(baseUrl) {
  detailedUrl = baseUrl;
  if (!session.status) return;
  byId('server-title').replaceChildren(nameElement(baseUrl));
  byId('server-page').replaceChildren(...pageLink(baseUrl));
  renderDetails(session.status);
  dialogById('server').showModal();
}

/** @param {Status} status */
function renderDetails({ members, baseUrl }) {
  const member = members.find((it) => it.baseUrl === detailedUrl);
  if (!member) return dialogById('server').close();
  const { lastError, tags, by, failures, answered } = member;
  const state = `${stateOf(member)} since ${formatTime(member.changedAt)} (${durationSince(member.changedAt)})`;
  const isOwn = member.baseUrl === baseUrl;
  showFacts(byId('server-facts'), {
    URL: member.baseUrl,
    State: state,
    ...(reasonOf(member) && { Why: reasonOf(member) }),
    ...(lastError && { 'Last error': `${lastError.code} at ${formatTime(lastError.at)}: ${lastError.message}` }),
    ...(failures > 0 && { 'Failed attempts': `${failures} since its last answer` }),
    ...(by && { 'Reported by': by }),
    ...(!isOwn && { 'Last answer': answered === undefined ? 'never' : formatTime(answered) }),
    'Known since': formatTime(member.since),
    Ready: member.ready === false ? 'no: it is given no work' : 'yes',
    Tags: tags ? tagsText(member) || 'none' : 'not known',
    clustershazbot: packageOf(member) || 'not known',
  });
}

/**
 * A link to the page of another server, which asks for the secret again. This page must not pass the secret on: any
 * server of the cluster may have claimed that URL, and on one origin every other page of the program could read it.
 * @param {string} baseUrl a peer may claim any text
 */
function pageLink(baseUrl) {
  if (!/^https?:\/\//.test(baseUrl) || baseUrl === session.status?.baseUrl) return [];
  const anchor = /** @type {HTMLAnchorElement} */ (make('a', '', 'Open the page of this server'));
  anchor.href = `${baseUrl}clustershazbot`;
  anchor.rel = 'noreferrer';
  return [anchor, ' (asks for its control secret)'];
}
