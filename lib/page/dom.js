'use strict';

// Creates and changes elements. Text from a server is only ever inserted as text, never as HTML.

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const inputById = /** @type {(id: string) => HTMLInputElement} */ (byId);
const selectById = /** @type {(id: string) => HTMLSelectElement} */ (byId);
const drainDialog = () => /** @type {HTMLDialogElement} */ (byId('dialog'));

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
 * Plays the animation that marks a change, also if it is playing already.
 * @param {HTMLElement} element
 */
function flash(element) {
  element.classList.remove('new');
  // Reading the layout restarts the animation.
  void element.offsetWidth;
  element.classList.add('new');
}
