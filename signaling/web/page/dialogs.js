// @ts-check
/** Dialogs: how they are closed. */

/** Its close button, and a click beside it. @param {HTMLDialogElement} dialog */
export function setUpDialog(dialog) {
  dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

export function setUpDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) setUpDialog(dialog);
}
