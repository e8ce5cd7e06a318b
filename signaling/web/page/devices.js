// @ts-check
/** Menus of microphones and loudspeakers. */
import { devices } from "../parley.js";
import { create } from "./dom.js";

/**
 * Fills a menu and keeps what is chosen, if it is still there.
 * @param {HTMLSelectElement} menu
 * @param {"inputs"|"outputs"} kind
 * @param {string} chosen a device id
 */
export async function fillMenu(menu, kind, chosen) {
  const found = (await devices())[kind].filter((device) => device.deviceId);
  const noun = kind === "inputs" ? "Microphone" : "Loudspeaker";
  const options = found.map((device, index) => create("option", { value: device.deviceId, textContent: device.label || `${noun} ${index + 1}` }));
  if (!options.length) options.push(create("option", { value: "", textContent: `Default ${noun.toLowerCase()}` }));
  menu.replaceChildren(...options);
  if (found.some((device) => device.deviceId === chosen)) menu.value = chosen;
}
