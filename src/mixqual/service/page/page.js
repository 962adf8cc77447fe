// The page at /: one image, two sliders, and what the service says of each setting.

const PAUSE_MS = 120; // without a move of a slider, before the service is asked
const COLOURS = 6;
const TRACE = 48;

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

let image = null; // a File
let seed = 0;
let key = ""; // never stored
let size = 0; // side of the model's images
let asking = null; // the request under way, to be aborted
let timer = 0;

function made(tag, { text = "", classes = "", children = [], share } = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = classes;
  if (share !== undefined) element.style.setProperty("--share", share);
  element.append(...children);
  return element;
}

function tell(problem) {
  at("problem").textContent = problem;
  at("problem").hidden = !problem;
}

async function asked(path, options = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  const body = await response.json();
  if (response.ok) return body;
  at("unlock").hidden = response.status !== 401;
  const problem = new Error(body.error);
  problem.again = [429, 503].includes(response.status)
    ? Number(response.headers.get("Retry-After"))
    : 0;
  throw problem;
}

async function introduce() {
  try {
    const model = await asked("model");
    size = model.size;
    const parts = model.gate === "none" ? "one network" : `${model.experts.length} experts`;
    at("about").textContent =
      `${model.name}: ${model.classes.length} classes, ${parts}, ` +
      `${size} pixels. An image is sent to this service alone, and not kept.`;
    showLevels();
    tell("");
  } catch (problem) {
    fail(problem, introduce);
  }
}

function fail(problem, retry) {
  if (problem.name === "AbortError") return;
  tell(problem instanceof TypeError ? "The service cannot be reached." : problem.message);
  if (problem.again) timer = setTimeout(retry, 1000 * problem.again);
}

function showLevels() {
  const blur = Number(at("blur").value);
  at("noise-value").textContent = at("noise").value;
  at("blur-value").textContent = blur.toFixed(1);
  const here = size ? `, ${((blur * size) / 224).toFixed(2)} here` : "";
  at("blur-unit").textContent = `σ in pixels of a 224-pixel image${here}`;
}

function soon() {
  showLevels();
  clearTimeout(timer);
  if (image) timer = setTimeout(explore, PAUSE_MS);
}

async function explore() {
  clearTimeout(timer);
  asking?.abort();
  const mine = (asking = new AbortController());
  document.body.classList.add("busy");
  const query = new URLSearchParams({ noise: at("noise").value, blur: at("blur").value, seed });
  try {
    const found = await asked(`explore?${query}`, {
      method: "POST",
      body: image,
      headers: { "Content-Type": "application/octet-stream" },
      signal: mine.signal,
    });
    show(found);
    tell("");
  } catch (problem) {
    fail(problem, explore);
  } finally {
    if (asking === mine) document.body.classList.remove("busy");
  }
}

function show({ image: pixels, prediction, experts }) {
  at("shown").src = pixels;
  at("shown").hidden = at("result").hidden = false;
  at("class-name").textContent = prediction.class_name;
  at("confidence").textContent = percent(prediction.confidence);
  at("verdict").textContent = prediction.verdict ?? "";
  at("verdict").className = `verdict ${prediction.verdict ?? ""}`;
  at("gated").hidden = !prediction.weights; // one network has no gate
  at("estimate").textContent = prediction.distortion ? estimate(prediction.distortion) : "";
  if (prediction.weights) showWeights(Object.entries(prediction.weights), experts);
  at("classes").replaceChildren(
    ...Object.entries(prediction.probabilities).map(([label, share]) => {
      const heading = made("th", { text: label });
      heading.scope = "row";
      return made("tr", { children: [heading, made("td", { children: [bar(share)] })] });
    }),
  );
}

function estimate({ name, levels, unit }) {
  const looks = name.replaceAll("_", " ");
  return levels === null ? `looks ${looks}` : `looks like ${looks}, ${span(levels)} ${unit}`;
}

function showWeights(weights, experts) {
  document.querySelector(".own").hidden = !experts;
  at("experts").replaceChildren(
    ...weights.map(([expert, weight], place) => row(expert, weight, experts?.[expert], place)),
  );
  const column = made("div", {
    children: weights.map(([, share], place) => made("span", { share, classes: colour(place) })),
  });
  at("trace").append(column);
  if (at("trace").childElementCount > TRACE) at("trace").firstElementChild.remove();
}

function row(expert, weight, says, place) {
  const heading = made("th", { children: [made("span", { classes: `dot ${colour(place)}` }), expert] });
  heading.scope = "row";
  const cells = [heading, made("td", { children: [bar(weight, colour(place))] })];
  if (says) {
    const [label, share] = Object.entries(says).reduce((a, b) => (b[1] > a[1] ? b : a));
    cells.push(made("td", { text: `${label} ${percent(share)}` }));
  }
  return made("tr", { children: cells });
}

function bar(share, classes = "") {
  const filled = made("span", { share, classes });
  const number = made("span", { text: percent(share) });
  return made("div", { classes: "share", children: [made("div", { classes: "bar", children: [filled] }), number] });
}

const span = (levels) =>
  [...new Set(levels)].map((level) => Number(level.toFixed(2))).join(" to ");

const colour = (place) => `colour-${place % COLOURS}`;

function take(file) {
  if (!file) return;
  image = file;
  at("file-name").textContent = file.name;
  at("trace").replaceChildren();
  explore();
}

at("file").addEventListener("change", () => take(at("file").files[0]));
for (const name of ["dragenter", "dragover"])
  at("drop").addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
for (const name of ["dragleave", "drop"])
  at("drop").addEventListener(name, () => at("drop").classList.remove("over"));
at("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files[0]);
});
for (const id of ["noise", "blur"]) at(id).addEventListener("input", soon);
at("reset").addEventListener("click", () => {
  at("noise").value = at("blur").value = 0;
  soon();
});
at("again").addEventListener("click", () => {
  seed += 1;
  soon();
});
at("unlock").addEventListener("submit", async (event) => {
  event.preventDefault();
  key = at("key").value;
  at("unlock").hidden = true;
  await introduce();
  if (image) explore();
});
introduce();
