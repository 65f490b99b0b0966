// <draw-pad>: a picture's pixels to draw on, by mouse, finger or keys. The truth is the JSON box that it stands for
// (data-for); the pad shows what is in there and writes what is drawn.

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const SIZE = 480; // pixels of the canvas; the style makes it as large as there is room

class DrawPad extends HTMLElement {
  connectedCallback() {
    if (this.canvas) return;
    this.rows = Number(this.dataset.rows);
    this.columns = Number(this.dataset.columns);
    this.low = Number(this.dataset.low);
    this.range = Number(this.dataset.high) - this.low;
    this.cell = Math.max(1, Math.floor(SIZE / Math.max(this.rows, this.columns)));
    this.ink = new Float64Array(this.rows * this.columns);
    this.cursor = [Math.floor(this.rows / 2), Math.floor(this.columns / 2)];
    this.box = document.getElementById(this.dataset.for);
    this.build();
    this.read();
    this.box.addEventListener("input", (event) => event.isTrusted && this.read());
  }

  build() {
    const label = `Draw pad, ${this.columns} by ${this.rows} pixels: arrow keys move, space draws or erases a pixel`;
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas, { width: this.columns * this.cell, height: this.rows * this.cell, tabIndex: 0 });
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", label);
    this.status = Object.assign(document.createElement("p"), { className: "unseen" });
    this.status.setAttribute("role", "status");
    this.eraser = this.tool("Erase", () => {
      this.eraser.ariaPressed = String(this.eraser.ariaPressed !== "true");
    });
    this.eraser.ariaPressed = "false";
    const clear = this.tool("Clear", () => {
      this.ink.fill(0);
      this.write();
    });
    const tools = Object.assign(document.createElement("div"), { className: "tools" });
    tools.append(this.eraser, clear);
    this.append(this.canvas, tools, this.status);
    this.canvas.addEventListener("pointerdown", (event) => this.start(event));
    this.canvas.addEventListener("pointermove", (event) => this.last && this.move(event));
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => (this.last = null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    for (const turn of ["focus", "blur"]) this.canvas.addEventListener(turn, () => this.paint());
  }

  tool(text, act) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "plain" });
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  }

  start(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.place(event);
    this.stroke(this.last, this.last);
  }

  move(event) {
    const place = this.place(event);
    this.stroke(this.last, place);
    this.last = place;
  }

  /** Where the pointer is, in pixels of the picture. */
  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - frame.left) / frame.width) * this.columns;
    return [((event.clientY - frame.top) / frame.height) * this.rows, x];
  }

  /** Draw from one place to another with a soft round brush, as a scanner would see a pen. */
  stroke(from, to) {
    const steps = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * 3) || 1;
    for (let step = 0; step <= steps; step++) {
      this.dab(from[0] + ((to[0] - from[0]) * step) / steps, from[1] + ((to[1] - from[1]) * step) / steps);
    }
    this.write();
  }

  dab(y, x) {
    const radius = Math.max(0.45, this.columns / 24);
    const reach = Math.ceil(radius + 1);
    const erasing = this.eraser.ariaPressed === "true";
    for (let row = Math.max(0, Math.floor(y) - reach); row <= Math.min(this.rows - 1, Math.floor(y) + reach); row++) {
      for (let column = Math.max(0, Math.floor(x) - reach); column <= Math.min(this.columns - 1, x + reach); column++) {
        const away = Math.hypot(row + 0.5 - y, column + 0.5 - x);
        const covered = Math.min(1, Math.max(0, radius + 0.6 - away));
        const at = row * this.columns + column;
        this.ink[at] = erasing ? Math.min(this.ink[at], 1 - covered) : Math.max(this.ink[at], covered);
      }
    }
  }

  key(event) {
    const way = ARROWS[event.key];
    if (way) {
      this.cursor[0] = Math.min(this.rows - 1, Math.max(0, this.cursor[0] + way[0]));
      this.cursor[1] = Math.min(this.columns - 1, Math.max(0, this.cursor[1] + way[1]));
      this.paint();
    } else if (event.key === " " || event.key === "Enter") {
      const at = this.cursor[0] * this.columns + this.cursor[1];
      this.ink[at] = this.ink[at] > 0.5 ? 0 : 1;
      this.write();
    } else {
      return;
    }
    event.preventDefault();
    const ink = Math.round(100 * this.ink[this.cursor[0] * this.columns + this.cursor[1]]);
    this.status.textContent = `row ${this.cursor[0] + 1}, column ${this.cursor[1] + 1}: ${ink} %`;
  }

  /** Take the pixels from the box; what is no picture of this size shows as an empty one. */
  read() {
    let numbers = [];
    try {
      numbers = [JSON.parse(this.box.value)].flat(Infinity);
    } catch {
      // half-typed
    }
    const fits = numbers.length === this.ink.length && numbers.every(Number.isFinite);
    this.ink = this.ink.map((_, at) => (fits ? Math.min(1, Math.max(0, (numbers[at] - this.low) / this.range)) : 0));
    this.paint();
  }

  write() {
    const digits = "whole" in this.dataset ? 0 : 3;
    const number = (ink) => Number((this.low + ink * this.range).toFixed(digits));
    const pixel = "channels" in this.dataset ? (ink) => [number(ink)] : number;
    const rows = Array.from({ length: this.rows }, (_, row) =>
      JSON.stringify(Array.from(this.ink.subarray(row * this.columns, (row + 1) * this.columns), pixel)),
    );
    this.box.value = `[${rows.join(",\n")}]`;
    this.box.dispatchEvent(new Event("input", { bubbles: true }));
    this.paint();
  }

  paint() {
    const pen = this.canvas.getContext("2d");
    const dark = "invert" in this.dataset;
    for (let at = 0; at < this.ink.length; at++) {
      const light = Math.round(255 * (dark ? 1 - this.ink[at] : this.ink[at]));
      pen.fillStyle = `rgb(${light} ${light} ${light})`;
      pen.fillRect((at % this.columns) * this.cell, Math.floor(at / this.columns) * this.cell, this.cell, this.cell);
    }
    if (this.cell >= 12) this.rule(pen);
    if (document.activeElement !== this.canvas) return;
    const [row, column] = this.cursor;
    pen.strokeStyle = "#e5a54d";
    pen.lineWidth = Math.max(2, this.cell / 12);
    pen.strokeRect(column * this.cell + 2, row * this.cell + 2, this.cell - 4, this.cell - 4);
  }

  rule(pen) {
    pen.fillStyle = "rgb(127 127 127 / 25%)";
    for (let row = 1; row < this.rows; row++) pen.fillRect(0, row * this.cell - 1, this.canvas.width, 2);
    for (let column = 1; column < this.columns; column++) pen.fillRect(column * this.cell - 1, 0, 2, this.canvas.height);
  }
}

customElements.define("draw-pad", DrawPad);
