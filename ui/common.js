// What the page's own components share: who draws, calling Python, ink on a canvas.
// Runs first in a gr.HTML component's js_on_load; `element` is the component, `server` holds its Python functions.

const UNITS = 280;
const PEN_UNITS = 24; // model/strokes.py: a radius of 1.2 pixels of 10 units

const $ = (selector) => element.querySelector(selector);
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

// A private window may refuse to store anything; the game then lasts as long as the page.
// Shared by the components of the page, which must be one annotator.
const memory = (window.hoodwinkMemory ??= {});
const kept = {
  get: (name) => { try { return localStorage.getItem(name) ?? memory[name] ?? null; } catch { return memory[name] ?? null; } },
  set: (name, value) => { memory[name] = String(value); try { localStorage.setItem(name, value); } catch { /* see above */ } },
};

let token = kept.get("hoodwink-annotator");
if (!token) kept.set("hoodwink-annotator", (token = newId()));

const ANSWER_WITHIN_MS = 20000; // the ledger waits 15 s for its lock
const UNREACHABLE = "The server cannot be reached";

// Call a Python function. Gradio's own caller swallows a lost connection and answers nothing.
async function call(name, data) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("no answer in time")), ANSWER_WITHIN_MS)));
  const answer = await Promise.race([server[name](data), late]).finally(() => clearTimeout(timer));
  if (answer === undefined || answer === null) throw new Error("no answer");
  return answer;
}

// A tab of the page by its name; tabs may come a moment later than this. Those that find no room are in a menu.
function openTab(name, tries = 50) {
  const tab = [...document.querySelectorAll("[role=tab], .overflow-dropdown button")].find((one) => one.textContent.trim() === name);
  if (tab) tab.click();
  else if (tries) setTimeout(() => openTab(name, tries - 1), 100);
}

const isTyping = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

// Draw strokes on a canvas as wide as UNITS, as the pen did; or see-through, with a fine line along the middle.
function inkOn(canvas, strokes, seeThrough = false) {
  const ink = canvas.getContext("2d");
  const scale = canvas.width / UNITS;
  ink.setTransform(scale, 0, 0, scale, 0, 0);
  ink.clearRect(0, 0, UNITS, UNITS);
  ink.strokeStyle = getComputedStyle(canvas).color;
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath(); // one for all: see-through strokes that cross are no darker there
  for (const stroke of strokes) {
    ink.moveTo(stroke[0][0], stroke[0][1]);
    // A line of no length draws its round cap: a dot.
    for (const point of stroke.length > 1 ? stroke.slice(1) : stroke) ink.lineTo(point[0], point[1]);
  }
  ink.globalAlpha = seeThrough ? 0.22 : 1;
  ink.lineWidth = PEN_UNITS;
  ink.stroke();
  ink.globalAlpha = 1;
  if (!seeThrough) return;
  ink.lineWidth = 3;
  ink.stroke();
}

// Paint now, and again whenever the canvas changes size or the theme its colours. As many pixels as the screen really
// has, so that lines are crisp.
function keepPainted(canvas, paint) {
  const fit = () => {
    const side = Math.max(1, Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    paint();
  };
  new ResizeObserver(fit).observe(canvas);
  new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  fit();
}
