// The page of /docs: reads /openapi.json and shows one operation or object at a time, named by the address's fragment.
// Text from the document only ever becomes text, never markup.
"use strict";

const METHODS = ["get", "post", "put", "delete"];
const FORM = "application/x-www-form-urlencoded";
const VALUES_SHOWN_MAX = 12;
const GROUPS = {
  customers: "Customers",
  "customers.balance_transactions": "Balance transactions",
  "customers.bank_accounts": "Bank accounts",
  "customers.cards": "Cards",
  "customers.cash_balance": "Cash balance",
  "customers.cash_balance_transactions": "Cash balance transactions",
  "customers.discount": "Discounts of customers",
  "customers.funding_instructions": "Funding instructions",
  "customers.payment_methods": "Payment methods of customers",
  "customers.sources": "Sources",
  "customers.subscriptions": "Subscriptions of customers",
  "customers.tax_ids": "Tax IDs of customers",
  audit: "Audit",
  feed: "Event feed",
  "privacy.redaction_jobs": "Redaction jobs",
  "privacy.redaction_jobs.validation_errors": "Redaction job errors",
  "rollbook.deliveries": "Deliveries",
  "rollbook.subscriptions": "Subscription reports",
  "rollbook.webhook_endpoints": "Webhook endpoints (Rollbook)",
  tax_ids: "Tax IDs of the account",
  "test_helpers.customers": "Test transfers",
};
const GUIDES = {
  webhooks: "Webhooks", testing: "Testing", errors: "Errors and retries", audit: "Audit", search: "Search query language", events: "Event types",
};

const content = document.getElementById("content");
const sidebar = document.getElementById("sidebar");
const filter = document.getElementById("filter");
const menu = document.getElementById("menu");
const base = new URL(".", location.href).href.replace(/\/$/, ""); // a path prefix may stand before /docs
const exampleKey = document.querySelector("meta[name=example-key]").content;
const LANGUAGE = "rollbook.docs.language"; // remembered in the browser, as is the theme
const THEME = "rollbook.docs.theme";
const TOKENS = {
  curl: /(?<string>'[^']*'|"[^"]*")|(?<flag>(?<=\s)--?[a-zA-Z][\w-]*)|(?<keyword>\bcurl\b)/g,
  Python: /(?<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?<keyword>\b(?:import|from|print|True|False|None)\b)|(?<number>\b\d[\d.]*\b)/g,
  Node: /(?<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?<keyword>\b(?:import|from|const|new|await|true|false|null)\b)|(?<number>\b\d[\d.]*\b)/g,
  JSON: /"(?:\\.|[^"\\])*"(?=:)|(?<string>"(?:\\.|[^"\\])*")|(?<keyword>\b(?:true|false|null)\b)|(?<number>-?\b\d[\d.eE+-]*)/g,
};
let api;
let language = "curl";
let operations = [];
let entries = []; // what the menu's search finds

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

// A code sample with its tokens coloured. The text stays what it is.
function coloured(text, of) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(TOKENS[of])) {
    const [kind] = Object.entries(found.groups).find(([, part]) => part !== undefined) || [];
    nodes.push(text.slice(end, found.index), kind ? element("span", { class: `token-${kind}` }, found[0]) : found[0]);
    end = found.index + found[0].length;
  }
  return [...nodes, text.slice(end)];
}

// A block of code, whose right edge is shaded while there is more to scroll to.
function scrolling(pre) {
  const made = element("div", { class: "code" }, pre);
  const mark = () => made.classList.toggle("more", pre.scrollLeft + pre.clientWidth < pre.scrollWidth - 1);
  pre.addEventListener("scroll", mark, { passive: true });
  new ResizeObserver(mark).observe(pre);
  new MutationObserver(mark).observe(pre, { childList: true });
  return made;
}

function announce(text) {
  document.getElementById("copied").textContent = text;
}

// The same request in each language, a tab each; the chosen language stays chosen.
function request(codeSamples) {
  const chosen = codeSamples.find(({ label }) => label === language) || codeSamples[0];
  const code = element("pre", { tabindex: "0", role: "tabpanel", id: "sample", "aria-labelledby": `tab-${chosen.label}` },
    coloured(here(chosen.source), chosen.label));
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
      code.replaceChildren(...coloured(here(source), label));
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
    element("div", { class: "bar" }, list, copyButton(() => code.textContent, () => code, "the request")), scrolling(code));
}

function response(example) {
  const lines = typeof example === "string"; // JSON objects, one per line
  const parts = lines ? example.trimEnd().split("\n").map((line) => JSON.parse(line)) : [example];
  const text = parts.map((part) => JSON.stringify(part, null, 2)).join("\n");
  const code = element("pre", { tabindex: "0", role: "region", "aria-label": "Example answer" }, coloured(text, "JSON"));
  return element("div", { class: "example answer" },
    element("div", { class: "bar" }, element("span", {}, lines ? "200 OK, one object a line (indented here)" : "200 OK"),
      copyButton(() => lines ? example : text, () => code, "the answer")), scrolling(code));
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

function guideCode(pre) {
  const { language: of } = pre.dataset;
  if (of) pre.replaceChildren(...coloured(pre.textContent, of));
  return scrolling(pre);
}

function showGuide(name) {
  const made = [...document.getElementById(`guide-${name}`).content.cloneNode(true).children]
    .map((part) => (part.matches("pre") ? guideCode(part) : part));
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
    element("p", {}, `Version ${api.info.version}. `, "Descriptions for tools: ",
      element("a", { href: "openapi.json" }, "openapi.json"), " of this API, ",
      element("a", { href: "asyncapi.json" }, "asyncapi.json"), " of the messages in RabbitMQ."),
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
  const links = [...sidebar.querySelectorAll("a")];
  for (const link of links) {
    if (link.hash.slice(1) === wanted && wanted !== "") link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const current = sidebar.querySelector("#operations [aria-current]");
  const group = (current || sidebar.querySelector('a[href="#customers.create"]')).closest("details");
  for (const one of sidebar.querySelectorAll("#operations details")) one.open = one === group;
  if (current && filter.value.trim() === "") keepInSight(current);
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

// What a group of operations is called in the menu: `Test clocks` of `test_clocks`.
function groupName(resource) {
  const words = resource.slice(resource.lastIndexOf(".") + 1).replaceAll("_", " ");
  return GROUPS[resource] || words[0].toUpperCase() + words.slice(1);
}

// Names as they are compared: `tax_ids.create` is found by `Tax IDs create`.
function plain(text) {
  return text.toLowerCase().replace(/[._\s]+/g, " ").trim();
}

// The names of all parameters of an operation, those within hashes too.
function parameterNames(operation) {
  const names = operation.parameters.map(resolve).filter((one) => one.in !== "header").map((one) => one.name);
  const seen = new Set();
  const visit = (schema) => {
    for (const [name, inner] of Object.entries(schema.properties || {})) {
      names.push(name);
      for (const { name: within, schema: below } of hashes(inner)) {
        if (!seen.has(within)) {
          seen.add(within);
          visit(below);
        }
      }
    }
  };
  visit(bodyOf(operation) || {});
  return names.join(" ");
}

// A link of the menu; it is searched by its names first, then by `others`.
function menuItem(href, hint, mark, text, found, names, others) {
  const link = (shown) => element("li", {}, element("a", { href, title: hint }, mark && mark(), element("span", {}, breakable(shown))));
  entries.push({ link: () => link(found), names: [...names, hint].map(plain), others: plain(others) });
  return link(text);
}

function methodMark(method, text) {
  return () => element("span", { class: `method ${method}` }, text);
}

function menuGroup(name, ...items) {
  return element("section", {}, element("details", {}, element("summary", {}, element("h2", {}, name)), element("ul", {}, ...items)));
}

function fillSidebar() {
  const groups = new Map();
  for (const one of operations) {
    const resource = resourceOf(one.operation);
    groups.set(resource, [...(groups.get(resource) || []), one]);
  }
  const types = Object.keys(api.webhooks).join(" ");
  const guides = menuGroup("Guides", Object.entries(GUIDES)
    .map(([name, text]) => menuItem(`#guide/${name}`, text, "", text, text, [name], name === "events" ? types : "")));
  const listed = new Set(); // an object is in the menu once
  const sections = [...groups].map(([resource, those]) => {
    const object = objectOf(those);
    const isNew = object !== undefined && !listed.has(object);
    listed.add(object);
    const text = `The ${object} object`;
    const mark = () => element("span", { class: "method", "aria-hidden": "true" }, "{ }");
    return menuGroup(groupName(resource),
      isNew ? menuItem(`#/${object}`, text, mark, text, text, [object, `${object} object`], resource) : "",
      those.map(({ method, path, operation }) => {
        const name = operation.operationId.slice(resource.length + 1);
        return menuItem(`#${operation.operationId}`, `${method} ${path}`, methodMark(method, method === "DELETE" ? "DEL" : method),
          name, operation.operationId, [operation.operationId, operation.summary, name, path],
          `${groupName(resource)} ${parameterNames(operation)}`);
      }));
  });
  document.getElementById("operations").replaceChildren(guides, ...sections);
}

// How well an entry matches: 0 by its whole name, 1 by its beginning, 2 within a name, 3 by its parameters; or not at all.
function matched({ names, others }, wanted) {
  if (names.includes(wanted)) return 0;
  if (names.some((name) => name.startsWith(wanted))) return 1;
  const words = wanted.split(" ");
  const within = (text) => words.every((word) => text.includes(word));
  if (names.some(within)) return 2;
  return within(`${names.join(" ")} ${others}`) ? 3 : undefined;
}

function applyFilter() {
  const wanted = plain(filter.value);
  const found = wanted === "" ? [] : entries.map((entry) => ({ entry, rank: matched(entry, wanted) }))
    .filter(({ rank }) => rank !== undefined).sort((one, other) => one.rank - other.rank);
  const matches = document.getElementById("matches");
  matches.replaceChildren(...found.map(({ entry }) => entry.link()));
  matches.hidden = found.length === 0;
  document.getElementById("operations").hidden = wanted !== "";
  const count = found.length === 0 ? "No operation matches" : `${found.length} found`;
  document.getElementById("found").textContent = wanted === "" ? "" : count;
  sidebar.scrollTop = 0;
}

function openMenu(open) {
  sidebar.classList.toggle("open", open);
  menu.setAttribute("aria-expanded", String(open));
}

function visibleLinks() {
  const found = filter.value.trim() === "" ? "#operations details[open] a" : "#matches a";
  return [...sidebar.querySelectorAll(found)];
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === filter;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    openMenu(true);
    filter.focus();
    filter.select();
  } else if (event.key === "Escape" && typing) {
    if (filter.value === "") openMenu(false);
    filter.value = "";
    applyFilter();
  } else if (event.key === "Enter" && typing) {
    if (filter.value.trim() !== "") visibleLinks()[0]?.click();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && sidebar.contains(event.target)) {
    const links = visibleLinks();
    const step = event.key === "ArrowDown" ? 1 : -1;
    const next = links.indexOf(event.target) + step;
    event.preventDefault();
    (next < 0 ? filter : links[Math.min(next, links.length - 1)])?.focus();
  }
}

// Colours: those that were chosen, or those of the system.
function applyTheme(chosen) {
  if (chosen === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = chosen;
}

function startTheme() {
  const themes = document.getElementById("theme");
  let kept;
  try { kept = localStorage.getItem(THEME); } catch { /* storage may be forbidden */ }
  themes.value = ["light", "dark"].includes(kept) ? kept : "auto";
  applyTheme(themes.value);
  themes.addEventListener("change", () => {
    applyTheme(themes.value);
    try { localStorage.setItem(THEME, themes.value); } catch { /* storage may be forbidden */ }
  });
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
  document.getElementById("version").textContent = api.info.version;
  fillSidebar();
  show(false);
  filter.addEventListener("input", applyFilter);
  menu.addEventListener("click", () => openMenu(!sidebar.classList.contains("open")));
  addEventListener("hashchange", () => show(true));
  addEventListener("keydown", onKey);
}

startTheme();
start();
