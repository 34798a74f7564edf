// The pen: strokes on a canvas of 280 x 280 units, whatever its size on the screen.
// Runs after common.js in the same function.

const MAX_POINTS = 9500; // the server takes 10,000
const OUTSIDE = 279; // how far off the canvas a captured pen is still followed; the server takes 280

window.hoodwinkListening?.abort(); // a re-rendered component must not listen twice
window.hoodwinkListening = new AbortController();
const listening = { signal: window.hoodwinkListening.signal };

const canvas = element.querySelector("#sketchpad canvas");

const pad = {
  strokes: [],
  locked: false,
  onchange: () => {}, // the drawing changed
  under: null, // paints below the ink, which then lets it be seen
  get isEmpty() {
    return this.strokes.length === 0;
  },
  undo() {
    if (this.locked || this.isEmpty) return;
    pen.id = null; // a pen that is still down is done with
    this.strokes.pop();
    this.changed();
  },
  clear() {
    this.strokes = [];
    pen.id = null;
    this.changed();
  },
  get points() {
    return this.strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  },
  changed() {
    canvas.dataset.points = this.points;
    paintSoon();
    this.onchange();
  },
};

const pen = { id: null, began: 0 };

function paint() {
  inkOn(canvas, pad.strokes, pad.under !== null);
  pad.under?.(canvas);
}
let painting = false;

function paintSoon() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    paint();
  });
}

function toUnits(event) {
  const box = canvas.getBoundingClientRect();
  const unit = (value) => Math.round(Math.min(Math.max(value, -OUTSIDE), UNITS + OUTSIDE) * 10) / 10;
  return [
    unit(((event.clientX - box.left) * UNITS) / box.width),
    unit(((event.clientY - box.top) * UNITS) / box.height),
  ];
}

function addPoint(event) {
  const stroke = pad.strokes.at(-1);
  const [x, y] = toUnits(event);
  const last = stroke.at(-1);
  if (last && Math.hypot(x - last[0], y - last[1]) < 0.5) return false;
  if (pad.points >= MAX_POINTS) return false;
  stroke.push([x, y, Math.max(0, Math.round(event.timeStamp - pen.began))]);
  return true;
}

canvas.addEventListener("pointerdown", (event) => {
  // A second finger or a right click is not a pen.
  if (pad.locked || pen.id !== null || !event.isPrimary || event.button !== 0) return;
  event.preventDefault();
  document.activeElement?.blur?.(); // digit keys are for the drawing now
  pen.id = event.pointerId;
  try {
    canvas.setPointerCapture(event.pointerId);
  } catch {
    // The pointer is gone already (a very short tap); its point still counts.
  }
  if (pad.isEmpty) pen.began = event.timeStamp;
  pad.strokes.push([]);
  addPoint(event);
  if (pad.strokes.at(-1).length === 0) pad.strokes.pop();
  pad.changed();
});

canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pen.id || pad.isEmpty) return;
  const between = event.getCoalescedEvents?.() ?? [];
  let moved = false;
  for (const step of between.length ? between : [event]) moved = addPoint(step) || moved;
  if (moved) pad.changed();
});

// On the window: a pen that could not be captured may be lifted anywhere.
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  window.addEventListener(
    end,
    (event) => {
      if (event.pointerId === pen.id) pen.id = null;
    },
    { ...listening, capture: true },
  );
}
// Some browsers scroll or select under a finger despite touch-action.
for (const kind of ["touchstart", "touchmove"]) {
  canvas.addEventListener(kind, (event) => event.preventDefault(), { passive: false });
}
canvas.addEventListener("contextmenu", (event) => event.preventDefault());

keepPainted(canvas, paint);
