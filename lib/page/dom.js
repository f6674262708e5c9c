'use strict';

// Creates and changes elements. Text from a server is only ever inserted as text, never as HTML.

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const inputById = /** @type {(id: string) => HTMLInputElement} */ (byId);
const selectById = /** @type {(id: string) => HTMLSelectElement} */ (byId);
const dialogById = /** @type {(id: string) => HTMLDialogElement} */ (byId);

/**
 * @param {keyof HTMLElementTagNameMap} tag
 * @param {string} className
 * @param {(Node | string)[]} children
 */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.map((child) => (typeof child === 'string' ? printableText(child) : child)));
  return element;
}

/**
 * Replaces characters that are invisible or change the writing direction: one server could look like another.
 * @param {string} text
 */
const printableText = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');

/**
 * @param {string} text
 * @param {string} value
 */
function makeOption(text, value) {
  const option = /** @type {HTMLOptionElement} */ (make('option', '', text));
  option.value = value;
  return option;
}

/** @param {(Node | string)[]} children */
function makeButton(...children) {
  const button = /** @type {HTMLButtonElement} */ (make('button', '', ...children));
  button.type = 'button';
  return button;
}

/**
 * @param {Element} element
 * @param {string} text
 */
function setText(element, text) {
  const safe = printableText(text);
  if (element.textContent !== safe) element.textContent = safe;
}

/**
 * Sets a text that the style may cut: its title is the whole text.
 * @param {HTMLElement} element
 * @param {string} text
 */
function setCutText(element, text) {
  setText(element, text);
  const whole = element.textContent ?? '';
  if (element.title !== whole) element.title = whole;
}

/**
 * Plays the animation that marks a change, also if it is playing already.
 * @param {HTMLElement} element
 */
function flash(element) {
  element.classList.remove('new');
  // Reading the layout restarts the animation.
  void element.offsetWidth;
  element.classList.add('new');
}

/**
 * Shows facts in a list of terms. Elements stay, so that a selection in them stays too.
 * @param {HTMLElement} list
 * @param {Record<string, string>} facts text by term
 */
function showFacts(list, facts) {
  const terms = Object.keys(facts);
  if ([...list.querySelectorAll('dt')].map((it) => it.textContent).join() !== terms.join()) {
    list.replaceChildren(...terms.flatMap((term) => [make('dt', '', term), make('dd', '')]));
  }
  for (const [i, element] of list.querySelectorAll('dd').entries()) setText(element, facts[terms[i]]);
}

/**
 * Replaces the children of an element if they differ, so that focus and selection stay where nothing has changed.
 * @param {Element} element
 * @param {(Node | string)[]} children
 */
function showChildren(element, children) {
  const next = /** @type {Element} */ (element.cloneNode());
  next.append(...children);
  if (!element.isEqualNode(next)) element.replaceChildren(...next.childNodes);
}
