// The page of /docs: reads /openapi.json and shows one operation or object at a time, named by the address's fragment.
// Text from the document only ever becomes text, never markup.
"use strict";

const METHODS = ["get", "post", "put", "delete"];
const FORM = "application/x-www-form-urlencoded";
const VALUES_SHOWN_MAX = 12;
const GUIDES = { search: "Search query language", events: "Event types" };

const content = document.getElementById("content");
const sidebar = document.getElementById("sidebar");
const filter = document.getElementById("filter");
const menu = document.getElementById("menu");
const base = new URL(".", location.href).href.replace(/\/$/, ""); // a path prefix may stand before /docs
const exampleKey = document.querySelector("meta[name=example-key]").content;
const LANGUAGE = "rollbook.docs.language"; // remembered in the browser
let api;
let language = "curl";
let operations = [];

// An element with attributes and children; children that are text stay text.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ""));
  return made;
}

// Text with `code` and **strong** words marked.
function words(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return element("strong", {}, part.slice(2, -2));
    return part;
  });
}

function paragraphs(text) {
  return text.split(/\n{2,}/).filter(Boolean).map((part) => element("p", {}, words(part.replaceAll("\n", " "))));
}

function resolve(schema) {
  return schema.$ref ? schema.$ref.slice(2).split("/").reduce((node, step) => node[step], api) : schema;
}

function nameOf(ref) {
  return ref.slice(ref.lastIndexOf("/") + 1);
}

const isEmpty = (schema) => schema.enum?.length === 1 && schema.enum[0] === "";
const isNull = (schema) => schema.type === "null";

// What a value may be: each of several, or just it.
function options(schema) {
  return (schema.anyOf || schema.oneOf || [schema]).flatMap((one) => (one.anyOf || one.oneOf ? options(one) : [one]));
}

function typeOf(schema) {
  const parts = options(schema).filter((one) => !isEmpty(one)).map((one) => {
    if (one.$ref) {
      const named = resolve(one);
      return named.properties || named.oneOf || named.anyOf ? title(nameOf(one.$ref)) : typeOf(named);
    }
    if (one.type === "array") return `array of ${plural(typeOf(one.items || {}))}`;
    if (one.type === "object" && one.additionalProperties?.type) return `hash of ${one.additionalProperties.type}s`;
    if (one.type === "object" && one.additionalProperties?.$ref) return `hash of ${typeOf(one.additionalProperties)}`;
    if (one.type === "object") return "hash";
    if ("const" in one) return JSON.stringify(one.const);
    if (one.enum) return "enum";
    return one.type || "anything";
  });
  return [...new Set(parts)].join(" or ");
}

function plural(type) {
  return /^(string|integer|number|boolean|enum)$/.test(type) ? `${type}s` : type;
}

// Parameters are called `customer.Shipping` among the schemas, the shapes of answers `Shipping`.
function title(name) {
  return name.slice(name.indexOf(".") + 1);
}

function limits(schema) {
  const parts = [];
  for (const one of options(schema)) {
    if (one.minimum !== undefined) parts.push(`at least ${one.minimum}`);
    if (one.exclusiveMinimum !== undefined) parts.push(`above ${one.exclusiveMinimum}`);
    if (one.maximum !== undefined) parts.push(`at most ${one.maximum}`);
    if (one.minLength) parts.push("not empty");
    if (one.maxLength !== undefined) parts.push(`up to ${one.maxLength} characters`);
    if (one.minItems !== undefined) parts.push(`at least ${one.minItems} elements`);
    if (one.maxItems !== undefined) parts.push(`up to ${one.maxItems} elements`);
    if (one.pattern !== undefined) parts.push(`matches ${one.pattern}`);
    if (isEmpty(one)) parts.push("empty to unset");
  }
  if (schema.default !== undefined) parts.push(`${JSON.stringify(schema.default)} unless given`);
  return parts.join(", ");
}

function values(schema) {
  const found = options(schema).flatMap((one) => (one.type === "array" ? options(one.items || {}) : [one]));
  return found.filter((one) => one.enum && !isEmpty(one)).flatMap((one) => one.enum).filter((value) => value !== "");
}

// The schemas with properties that are within a value.
function hashes(schema) {
  return options(schema).flatMap((one) => {
    if (one.$ref) {
      const named = resolve(one);
      return named.anyOf || named.oneOf ? hashes(named) : [{ name: nameOf(one.$ref), schema: named }];
    }
    if (one.type === "array" && one.items) return hashes(one.items);
    if (one.type === "object" && one.additionalProperties?.$ref) return hashes(one.additionalProperties);
    return [];
  }).filter(({ schema: named }) => Object.keys(named.properties || {}).length > 0);
}

// One parameter or property; what is within it is made when it is opened, for objects refer to each other in circles.
function field(name, schema, required, description, answered) {
  const made = element(
    "div", { class: "field" },
    element("dt", {},
      element("code", {}, name),
      element("span", { class: "type" }, typeOf(schema)),
      required && element("span", { class: "required" }, "required") || ""),
    element("dd", {}, words(description || schema.description || (schema.$ref && resolve(schema).description) || "")),
  );
  const about = made.lastChild;
  const limited = limits(schema);
  if (limited) about.append(element("div", { class: "limits" }, limited));
  const known = values(schema);
  if (known.length > 0) {
    const list = element("div", { class: "values" }, known.map((value) => element("code", {}, String(value))));
    about.append(known.length > VALUES_SHOWN_MAX
      ? element("details", {}, element("summary", {}, `${known.length} values`), list)
      : list);
  }
  for (const { name: within, schema: inner } of hashes(schema)) {
    const details = element("details", {}, element("summary", {}, `What is in ${title(within)}`));
    details.addEventListener("toggle", () => {
      if (details.childElementCount === 1) details.append(properties(inner, answered));
    });
    about.append(details);
  }
  return made;
}

// Of an answer it goes without saying that what is required is there.
function properties(schema, answered) {
  const required = new Set(answered ? [] : schema.required);
  const names = Object.keys(schema.properties || {});
  return element("dl", { class: "fields" },
    names.map((name) => field(name, schema.properties[name], required.has(name), undefined, answered)));
}

function bodyOf(operation) {
  const media = operation.requestBody?.content[FORM];
  return media ? resolve(media.schema) : undefined;
}

// A sample of the document, at this page's address and with its key.
function here(source) {
  const { base: printed, key, node } = api["x-code-samples"];
  const { hostname, port, protocol } = new URL(base);
  const number = port || (protocol === "https:" ? "443" : "80");
  return source.replaceAll(node, `{ host: "${hostname}", port: ${number}, protocol: "${protocol.slice(0, -1)}" }`)
    .replaceAll(printed, base).replaceAll(key, exampleKey);
}

// A button that copies a text. Without a clipboard it selects what is shown.
function copyButton(text, shown, what) {
  const button = element("button", { type: "button", class: "copy", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
      announce(`Copied ${what}`);
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch {
      getSelection().selectAllChildren(shown());
    }
  });
  return button;
}

function announce(text) {
  document.getElementById("copied").textContent = text;
}

// The same request in each language, a tab each; the chosen language stays chosen.
function request(codeSamples) {
  const chosen = codeSamples.find(({ label }) => label === language) || codeSamples[0];
  const code = element("pre", { tabindex: "0", role: "tabpanel", id: "sample", "aria-labelledby": `tab-${chosen.label}` }, here(chosen.source));
  const tabs = codeSamples.map(({ label, source }) => {
    const tab = element("button", {
      type: "button", role: "tab", id: `tab-${label}`, "aria-controls": "sample", "aria-selected": String(label === chosen.label),
      tabindex: label === chosen.label ? "0" : "-1",
    }, label);
    tab.addEventListener("click", () => {
      language = label;
      try { localStorage.setItem(LANGUAGE, label); } catch { /* storage may be forbidden */ }
      for (const other of tabs) {
        other.setAttribute("aria-selected", String(other === tab));
        other.tabIndex = other === tab ? 0 : -1;
      }
      code.textContent = here(source);
      code.setAttribute("aria-labelledby", tab.id);
    });
    return tab;
  });
  const list = element("div", { role: "tablist", "aria-label": "Language" }, tabs);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    next.click();
    next.focus();
  });
  return element("div", { class: "example" },
    element("div", { class: "bar" }, list, copyButton(() => code.textContent, () => code, "the request")), code);
}

function response(example) {
  const text = JSON.stringify(example, null, 2);
  const code = element("pre", { tabindex: "0", role: "region", "aria-label": "Example answer" }, text);
  return element("div", { class: "example answer" },
    element("div", { class: "bar" }, element("span", {}, "200 OK"), copyButton(() => text, () => code, "the answer")), code);
}

function answers(operation) {
  const [[type, media]] = Object.entries(operation.responses["200"].content);
  const schema = media.schema.contentSchema || media.schema;
  const made = hashes(schema).flatMap(({ name, schema: shape }) => [
    element("p", {}, element("a", { href: `#/${name}` }, title(name)), shape.description ? `: ${shape.description}` : ""),
    properties(shape, true),
  ]);
  if (media.schema.contentSchema) made.unshift(element("p", {}, "Lines of ", element("code", {}, type), ", each of this shape:"));
  return made;
}

function showOperation(shown) {
  const { method, path, operation } = shown;
  const inPath = operation.parameters.filter((one) => one.in === "path");
  const inQuery = operation.parameters.filter((one) => one.in === "query");
  const inHeader = operation.parameters.map(resolve).filter((one) => one.in === "header");
  const body = bodyOf(operation);
  const listed = (heading, parameters) => (parameters.length === 0 ? [] : [
    element("h2", {}, heading),
    element("dl", { class: "fields" },
      parameters.map((one) => field(one.name, one.schema, one.required, one.description))),
  ]);
  const statuses = Object.entries(operation.responses).filter(([status]) => status !== "200");
  const intro = [
    element("h1", { tabindex: "-1" }, operation.summary),
    element("div", { class: "route" },
      element("span", { class: `method ${method}` }, method), element("span", { class: "path" }, path)),
    paragraphs(operation.description),
  ].flat(3);
  const answered = Object.values(operation.responses["200"].content)[0].example;
  const samples = element("aside", { class: "samples", "aria-label": "Example" },
    request(operation["x-codeSamples"]), answered === undefined ? "" : response(answered));
  const details = [
    listed("In the path", inPath),
    listed("Parameters", inQuery),
    body && Object.keys(body.properties || {}).length > 0 ? [element("h2", {}, "Parameters"), properties(body)] : [],
    listed("Headers", inHeader),
    element("h2", {}, "Answer"),
    answers(operation),
    element("h2", {}, "Errors"),
    element("table", {}, element("tbody", {}, statuses.map(([status, response]) => element("tr", {},
      element("th", { scope: "row" }, status), element("td", {}, words(resolve(response).description)))))),
    element("p", {}, "Each with ", element("a", { href: "#/Refused" }, "an error object"), "."),
  ].flat(3);
  return [element("div", { class: "operation" },
    element("div", { class: "intro" }, intro), samples, element("div", { class: "details" }, details))];
}

function showSchema(name) {
  const schema = api.components.schemas[name];
  const shapes = hashes({ $ref: `#/components/schemas/${name}` });
  const shown = exampleOf(name);
  return [element("div", { class: "operation" },
    element("div", { class: "intro" }, element("h1", { tabindex: "-1" }, title(name)), paragraphs(schema.description || "")),
    shown === undefined ? "" : element("aside", { class: "samples", "aria-label": "Example" }, response(shown)),
    element("div", { class: "details" }, shapes.map(({ schema: shape }) => properties(shape, !name.includes(".")))))];
}

// An example of an object: the answer of an operation that shows it.
function exampleOf(name) {
  const shows = operations.map(({ operation }) => Object.values(operation.responses["200"].content)[0])
    .find((media) => media.schema.$ref && nameOf(media.schema.$ref) === name && media.example);
  return shows?.example;
}

function showGuide(name) {
  const made = [...document.getElementById(`guide-${name}`).content.cloneNode(true).children];
  if (name !== "events") return made;
  const rows = Object.entries(api.webhooks).map(([type, { post }]) => element("tr", { id: `type-${type}` },
    element("th", { scope: "row" }, element("code", {}, breakable(type))), element("td", {}, post.description)));
  return [...made, element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Type"), element("th", { scope: "col" }, "Occurs when"))),
    element("tbody", {}, rows))];
}

function showStart() {
  return [
    element("h1", { tabindex: "-1" }, api.info.title),
    element("p", {}, api.info.summary),
    paragraphs(api.info.description.replace(/^.*\n\n/, "")),
    element("h2", {}, "A first request"),
    request(operations.find(({ operation }) => operation.operationId === "customers.create").operation["x-codeSamples"]),
  ].flat();
}

function show(moved) {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const shown = operations.find(({ operation }) => operation.operationId === wanted);
  const schema = wanted.startsWith("/") ? wanted.slice(1) : undefined;
  if (wanted === "content") return;
  const guide = wanted.startsWith("guide/") ? wanted.slice("guide/".length) : undefined;
  let made;
  if (guide in GUIDES) made = showGuide(guide);
  else if (shown) made = showOperation(shown);
  else if (schema in api.components.schemas) made = showSchema(schema);
  else made = showStart();
  content.replaceChildren(...made);
  const heading = content.querySelector("h1");
  document.title = `${heading.textContent} - Rollbook API`;
  for (const link of sidebar.querySelectorAll("a")) {
    const current = link.hash.slice(1) === wanted && wanted !== "";
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (current) keepInSight(link);
  }
  if (moved) {
    openMenu(false);
    window.scrollTo({ top: 0, behavior: "instant" });
    heading.focus({ preventScroll: true });
  }
}

// Scroll the menu alone, so that the link is within it.
function keepInSight(link) {
  const { top, bottom } = link.getBoundingClientRect();
  const within = sidebar.getBoundingClientRect();
  const covered = sidebar.querySelector(".filter").getBoundingClientRect().height;
  if (top < within.top + covered || bottom > Math.min(within.bottom, innerHeight)) {
    sidebar.scrollTop += top - within.top - sidebar.clientHeight / 3;
  }
}

// The resource an operation is of: `customers.tax_ids` of `customers.tax_ids.create`.
function resourceOf(operation) {
  return operation.operationId.slice(0, operation.operationId.lastIndexOf("."));
}

// A dotted or long name that may break after each of its words.
function breakable(name) {
  return name.split(/(?<=[._])/).flatMap((part, index) => (index === 0 ? [part] : [element("wbr"), part]));
}

// Customers first, what belongs to them next, Rollbook's own operations last.
function rank(resource) {
  const order = ["customers", "customers.", "", "test_", "feed", "audit", "rollbook."];
  if (resource === "customers") return 0;
  const found = order.findIndex((prefix, index) => index > 0 && prefix !== "" && resource.startsWith(prefix));
  return found === -1 ? 2 : found;
}

// The name of the object that a resource's operations show, where they show one.
function objectOf(those) {
  const names = those.map(({ operation }) => Object.values(operation.responses["200"].content)[0].schema.$ref || "")
    .map(nameOf).filter((name) => name && !/List$|SearchResult$|^Deleted/.test(name));
  return names[0];
}

function menuItem(href, text, searched, ...content) {
  const item = element("li", {}, element("a", { href, title: searched }, ...content));
  item.dataset.text = `${text} ${searched}`.toLowerCase();
  return item;
}

function fillSidebar() {
  const groups = new Map();
  for (const one of operations) {
    const resource = resourceOf(one.operation);
    groups.set(resource, [...(groups.get(resource) || []), one]);
  }
  const types = Object.keys(api.webhooks).join(" ");
  const guides = element("section", {}, element("h2", {}, "Guides"), element("ul", {},
    Object.entries(GUIDES).map(([name, text]) => menuItem(`#guide/${name}`, `${text} ${name === "events" ? types : ""}`, text, text))));
  const listed = new Set(); // an object is in the menu once
  const sections = [...groups].map(([resource, those]) => {
    const object = objectOf(those);
    const isNew = object !== undefined && !listed.has(object);
    listed.add(object);
    const shown = !isNew ? [] : [menuItem(`#/${object}`, `${resource} object`, `The ${object} object`,
      element("span", { class: "method", "aria-hidden": "true" }, "{ }"), element("span", {}, `The ${object} object`))];
    return element("section", {}, element("h2", {}, breakable(resource)), element("ul", {}, shown,
      those.map(({ method, path, operation }) => menuItem(`#${operation.operationId}`,
        `${operation.operationId} ${operation.summary}`, `${method} ${path}`,
        element("span", { class: `method ${method}` }, method === "DELETE" ? "DEL" : method),
        element("span", {}, operation.operationId.slice(resource.length + 1))))));
  });
  document.getElementById("operations").replaceChildren(guides, ...sections);
}

function applyFilter() {
  const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const section of sidebar.querySelectorAll("section")) {
    let any = false;
    for (const item of section.querySelectorAll("li")) {
      item.hidden = !wanted.every((word) => item.dataset.text.includes(word));
      any ||= !item.hidden;
      count += item.hidden ? 0 : 1;
    }
    section.hidden = !any;
  }
  document.getElementById("found").textContent = wanted.length === 0 ? "" : `${count} found`;
}

function openMenu(open) {
  sidebar.classList.toggle("open", open);
  menu.setAttribute("aria-expanded", String(open));
}

function visibleLinks() {
  return [...sidebar.querySelectorAll("li:not([hidden]) a")];
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target instanceof HTMLInputElement;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    openMenu(true);
    filter.focus();
    filter.select();
  } else if (event.key === "Escape" && typing) {
    filter.value = "";
    applyFilter();
  } else if (event.key === "Enter" && typing) {
    visibleLinks()[0]?.click();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && sidebar.contains(event.target)) {
    const links = visibleLinks();
    const step = event.key === "ArrowDown" ? 1 : -1;
    const next = links.indexOf(event.target) + step;
    event.preventDefault();
    (next < 0 ? filter : links[Math.min(next, links.length - 1)])?.focus();
  }
}

async function start() {
  try {
    const answer = await fetch(`${base}/openapi.json`);
    if (!answer.ok) throw new Error(String(answer.status));
    api = await answer.json();
  } catch (error) {
    content.replaceChildren(element("p", { class: "failed", role: "alert" }, `openapi.json could not be read (${error.message}).`));
    return;
  }
  operations = Object.entries(api.paths).flatMap(([path, methods]) => METHODS.filter((name) => methods[name])
    .map((name) => ({ method: name.toUpperCase(), path, operation: methods[name] })));
  operations.sort((one, other) => rank(resourceOf(one.operation)) - rank(resourceOf(other.operation))
    || resourceOf(one.operation).localeCompare(resourceOf(other.operation)));
  try { language = localStorage.getItem(LANGUAGE) || language; } catch { /* storage may be forbidden */ }
  fillSidebar();
  show(false);
  filter.addEventListener("input", applyFilter);
  menu.addEventListener("click", () => openMenu(!sidebar.classList.contains("open")));
  addEventListener("hashchange", () => show(true));
  addEventListener("keydown", onKey);
}

start();
