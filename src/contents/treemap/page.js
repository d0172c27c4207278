"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const map = $("map"), tip = $("tip"), nav = document.querySelector("nav"), legend = $("legend"), search = $("search");
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const bytes = (number) => {
    if (number < 1024) return number + " B";
    const units = ["KiB", "MiB", "GiB", "TiB"];
    let unit = 0, value = number / 1024;
    while (value >= 1023.95 && unit < 3) { value /= 1024; unit += 1; }
    return value.toFixed(1) + " " + units[unit];
  };
  const share = (part, whole) => (whole ? (100 * part / whole).toFixed(1) : "0.0") + " %";
  const count = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");

  // What a file is, by its name.
  const KINDS = [
    ["compiled", 252, .095], ["Python", 150, .095], ["bytecode", 95, .085], ["types", 200, .07], ["metadata", 60, .085], ["data", 20, .075],
  ];
  const kindOf = (path) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (/\.dist-info\//.test(path)) return 4;
    if (/\.so(\.[0-9.]+)?$|\.a$/.test(name)) return 0;
    if (/\.py$/.test(name)) return 1;
    if (/\.pyc$/.test(name)) return 2;
    if (/\.pyi$|^py\.typed$/.test(name)) return 3;
    return 5;
  };

  // The tree: groups, their directories, their files. A directory with nothing but one directory is merged with it.
  const sum = (node) => {
    if (!node.children) return node;
    node.packed = node.unpacked = node.files = 0;
    for (const child of node.children) {
      sum(child);
      node.packed += child.packed; node.unpacked += child.unpacked; node.files += child.files;
      child.parent = node;
    }
    return node;
  };
  const directories = (group, files) => {
    const root = { children: [], below: new Map() };
    for (const file of files) {
      let node = root, parts = file.path.split("/");
      for (const part of parts.slice(0, -1)) {
        if (!node.below.has(part)) {
          const directory = { name: part, children: [], below: new Map() };
          node.below.set(part, directory);
          node.children.push(directory);
        }
        node = node.below.get(part);
      }
      file.name = parts[parts.length - 1];
      node.children.push(file);
    }
    const join = (node) => {
      while (node.children && node.children.length === 1 && node.children[0].children) {
        const only = node.children[0];
        node.name = node.name ? node.name + "/" + only.name : only.name;
        node.children = only.children;
      }
      for (const child of node.children) if (child.children) join(child);
    };
    join(root);
    group.children = root.children;
    group.prefix = root.name;
    return group;
  };
  const top = { name: data.name, children: [] };
  for (const [name, note, isHidden, files] of data.groups) {
    top.children.push(directories({ name, note }, files.map(([path, packed, unpacked, layer]) => (
      { path, packed, unpacked, layer, files: 1, kind: kindOf(path), hidden: isHidden, group: name }
    ))));
  }
  sum(top);
  const filesOf = (node) => node.children ? node.children.flatMap(filesOf) : [node];

  let here = top, measure = "packed", colour = data.layers.length ? "layer" : "kind", picked = null;
  const total = (of) => of === "packed" ? data.packed : top.unpacked;

  $("facts").append(
    data.kind + ", ", make("b", "", bytes(data.packed)), " packed, ", make("b", "", bytes(top.unpacked)), " unpacked, ",
    count(top.files, "file"), data.platform ? ", " + data.platform : "",
  );

  // The base is grey, whatever its layers; others are as far apart as hues can be.
  const paint = (element, file) => {
    let [hue, chroma] = [0, 0];
    if (colour === "kind") [, hue, chroma] = KINDS[file.kind];
    else {
      const layer = data.layers[file.layer];
      const isBase = layer && layer.part === "base";
      element.classList.toggle("grey", Boolean(isBase));
      hue = isBase ? 255 : (25 + 137.508 * file.layer) % 360;
      chroma = isBase ? .012 + .008 * (file.layer % 3) : .09;
    }
    element.style.setProperty("--h", hue.toFixed(1));
    element.style.setProperty("--c", chroma.toFixed(3));
    if (file.hidden) element.classList.add("hidden");
  };
  const classOf = (file) => colour === "kind" ? file.kind : file.layer;

  // Squarified treemap: rows along the shorter side, as long as that makes their cells squarer
  // (Bruls, Huizing, van Wijk 2000).
  const squarify = (items, x, y, w, h) => {
    const whole = items.reduce((so, item) => so + item.value, 0);
    const scale = whole ? w * h / whole : 0, places = [];
    let at = 0;
    while (at < items.length) {
      const side = Math.min(w, h);
      const worst = (sum, high, low) => Math.max(side * side * high / (sum * sum), sum * sum / (side * side * low));
      let row = 0, end = at;
      const high = items[at].value * scale;
      while (end < items.length) {
        const area = items[end].value * scale;
        if (end > at && worst(row + area, high, area) > worst(row, high, items[end - 1].value * scale)) break;
        row += area; end += 1;
      }
      const thick = side ? row / side : 0;
      let along = 0;
      for (; at < end; at += 1) {
        const long = row ? items[at].value * scale / row * side : 0;
        places.push(w >= h ? [items[at], x, y + along, thick, long] : [items[at], x + along, y, long, thick]);
        along += long;
      }
      if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
    }
    return places;
  };

  // Those that can be seen, the largest first; the others together are one.
  const SMALLEST = 28;
  const visible = (nodes, area) => {
    const items = nodes.map((node) => ({ node, value: node[measure] })).filter((item) => item.value > 0);
    items.sort((a, b) => b.value - a.value || (a.node.path || a.node.name).localeCompare(b.node.path || b.node.name, "en"));
    const whole = items.reduce((so, item) => so + item.value, 0);
    let keep = items.findIndex((item) => item.value / whole * area < SMALLEST);
    if (keep < 0 || keep === items.length - 1) return items;
    const rest = items.slice(keep).map((item) => item.node);
    const value = rest.reduce((so, node) => so + node[measure], 0);
    return [...items.slice(0, keep), { node: { rest, name: rest.length.toLocaleString("en") + " more", files: rest.length }, value }];
  };

  const place = (element, x, y, w, h, node, value) => {
    Object.assign(element.style, { left: x + "px", top: y + "px", width: w + "px", height: h + "px" });
    element.dataset.size = value;
    element.tabIndex = -1;
    element.node = node;
    element.value = value;
    const name = node.path || node.name;
    element.setAttribute("role", "button");
    element.setAttribute("aria-label", `${name}, ${bytes(value)}, ${share(value, total(measure))}`);
    return element;
  };
  const GAP = 3, HEAD = 22;
  const leaf = (item, x, y, w, h, isSolo) => {
    const node = item.node, cell = place(make("div", "cell"), x, y, w, h, node, item.value);
    const sample = node.rest ? filesOf({ children: node.rest })[0] : filesOf(node)[0];
    if (node.rest) cell.classList.add("rest"); else paint(cell, sample);
    if (isSolo) cell.classList.add("solo");
    if (node.children) cell.classList.add("more");
    if (w >= 44 && h >= 19) {
      // The tooltip has the whole name.
      cell.append(make("span", "label", node.name.replace(/\.(cpython-\d+[a-z]*-[\w-]+|abi3)\.so$/, ".so")));
      if (h >= 38 && w >= 72) cell.append(make("span", "label", bytes(item.value)));
    }
    return cell;
  };
  // What a view is made of: a directory that is nearly all of it says nothing new, so its parts are shown instead.
  const parts = (node) => {
    let shown = node.children || [node];
    for (;;) {
      const whole = shown.reduce((so, part) => so + part[measure], 0);
      const most = shown.find((part) => part.children && part.parent !== top && part[measure] > 0.8 * whole);
      if (!most) return shown;
      shown = [...shown.filter((part) => part !== most), ...most.children];
    }
  };
  const framed = (item, x, y, w, h) => {
    const node = item.node, frame = place(make("div", "frame"), x, y, w, h, node, item.value), head = make("div", "head");
    head.append(make("span", "name", node.note ? node.name + " " + node.note : node.name));
    if (w > 150) head.append(make("span", "much", bytes(item.value) + " · " + share(item.value, total(measure))));
    frame.append(head);
    return frame;
  };
  // A directory in a frame: with its files, if there is room for its name, too.
  const directory = (item, x, y, w, h) => {
    const room = [w - 2 * GAP, h - HEAD - GAP];
    if (room[0] < 60 || room[1] < 34) return leaf(item, x, y, w, h, false);
    const frame = framed(item, x, y, w, h);
    for (const [file, ...at] of squarify(visible(filesOf(item.node), room[0] * room[1]), GAP, HEAD, ...room)) {
      frame.append(leaf(file, ...at, false));
    }
    return frame;
  };
  const draw = () => {
    const { clientWidth: width, clientHeight: height } = map;
    const fragment = document.createDocumentFragment();
    for (const [item, x, y, w, h] of squarify(visible(parts(here), width * height), 0, 0, width, height)) {
      const { node } = item, [across, along] = [Math.min(GAP, w / 3), Math.min(GAP, h / 3)];
      const inner = [x + across / 2, y + along / 2, w - across, h - along];
      const room = [inner[2] - 2 * GAP, inner[3] - HEAD - GAP];
      if (!node.children || room[0] < 34 || room[1] < 22) {
        fragment.append(leaf(item, ...inner, true));
        continue;
      }
      const frame = framed(item, ...inner);
      for (const [part, ...at] of squarify(visible(parts(node), room[0] * room[1]), GAP, HEAD, ...room)) {
        frame.append(part.node.children ? directory(part, ...at) : leaf(part, ...at, false));
      }
      fragment.append(frame);
    }
    map.replaceChildren(fragment);
    const first = map.firstElementChild;
    if (first) first.tabIndex = 0;
    find();
  };

  const crumbs = () => {
    const way = [];
    for (let node = here; node; node = node.parent) way.unshift(node);
    nav.replaceChildren();
    way.forEach((node, index) => {
      const name = index === 0 ? "all" : node.note ? node.name + " " + node.note : node.name;
      if (node === here) nav.append(make("span", "here", name));
      else {
        const button = make("button", "", name);
        button.type = "button";
        button.onclick = () => go(node);
        nav.append(button, make("span", "sep", "›"));
      }
    });
    nav.append(make("output", "", ""));
  };
  // Says what is shown, or what was found.
  const say = (text) => { nav.lastElementChild.textContent = text; };

  const drawLegend = () => {
    const sums = new Map();
    for (const file of filesOf(top)) sums.set(classOf(file), (sums.get(classOf(file)) || 0) + file[measure]);
    const entries = colour === "kind" ? KINDS.map(([name], kind) => [kind, name, { kind }])
      : data.layers.map((layer, index) => [index, (layer.part === "base" ? "base: " : "") + layer.holds, { layer: index }]);
    legend.replaceChildren();
    for (const [key, name, sample] of entries) {
      if (!sums.has(key)) continue;
      const button = make("button"), swatch = make("span", "cell swatch");
      button.type = "button";
      button.title = name;
      paint(swatch, sample);
      button.append(swatch, make("span", "text", name), make("span", "much", bytes(sums.get(key))));
      button.setAttribute("aria-pressed", String(picked === key));
      button.onclick = () => { picked = picked === key ? null : key; drawLegend(); find(); };
      legend.append(button);
    }
  };

  const find = () => {
    const words = search.value.toLowerCase();
    const isFound = (file) => (picked === null || classOf(file) === picked)
      && (!words || file.path.toLowerCase().includes(words) || file.group.toLowerCase().includes(words));
    const isFiltered = words !== "" || picked !== null;
    map.classList.toggle("filtered", isFiltered);
    for (const cell of map.querySelectorAll(".cell")) {
      const files = cell.node.rest ? filesOf({ children: cell.node.rest }) : filesOf(cell.node);
      cell.classList.toggle("found", isFiltered && files.some(isFound));
    }
    const shown = filesOf(here), found = isFiltered ? shown.filter(isFound) : shown;
    const much = found.reduce((so, file) => so + file[measure], 0);
    say(`${isFiltered ? "found " : ""}${count(found.length, "file")}, ${bytes(much)}, ${share(much, total(measure))}`);
  };

  const go = (node) => {
    here = node;
    tip.hidden = true;
    crumbs();
    draw();
  };
  const up = () => { if (here.parent) { const from = here; go(here.parent); focusOn(from); } };
  const focusOn = (node) => {
    const element = [...map.querySelectorAll(".frame, .cell")].find((element) => element.node === node);
    if (element) element.focus();
  };
  const inside = (element) => {
    // The outermost frame: a distribution is entered before its directories.
    let box = element;
    for (let frame = element.closest(".frame"); frame; frame = frame.parentElement.closest(".frame")) box = frame;
    if (box.node.children && box.node !== here) { go(box.node); if (map.firstElementChild) map.firstElementChild.focus(); }
  };

  const show = (element, x, y) => {
    const { node, value } = element;
    const sample = node.rest ? null : filesOf(node)[0];
    const rows = [];
    if (node.rest) rows.push(["together", bytes(value)]);
    else rows.push(["packed", `${bytes(node.packed)}, ${share(node.packed, data.packed)}`],
      ["unpacked", `${bytes(node.unpacked)}, ${share(node.unpacked, top.unpacked)}`]);
    if (node.children) rows.push(["files", node.files.toLocaleString("en")]);
    if (!node.children && sample) {
      rows.push(["of", sample.group]);
      if (data.layers.length) rows.push(["layer", `${sample.layer + 1}, ${data.layers[sample.layer].holds}`]);
    }
    const list = make("dl");
    for (const [term, text] of rows) list.append(make("dt", "", term), make("dd", "", text));
    tip.replaceChildren(make("b", "", node.path || (node.note ? node.name + " " + node.note : node.name)), list);
    tip.hidden = false;
    const { offsetWidth: w, offsetHeight: h } = tip;
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - w - 8)) + "px";
    tip.style.top = (y + 16 + h > innerHeight ? Math.max(8, y - h - 10) : y + 16) + "px";
  };
  const target = (event) => event.target.closest && event.target.closest(".cell, .frame");
  map.addEventListener("pointermove", (event) => {
    const element = target(event);
    if (element) show(element, event.clientX, event.clientY); else tip.hidden = true;
  });
  map.addEventListener("pointerleave", () => { tip.hidden = true; });
  map.addEventListener("click", (event) => { const element = target(event); if (element) inside(element); });
  map.addEventListener("focusin", (event) => {
    const element = target(event);
    if (!element || !element.matches(":focus-visible")) return;
    const box = element.getBoundingClientRect();
    show(element, box.left + Math.min(box.width, 60), box.top + Math.min(box.height, 24));
  });
  map.addEventListener("focusout", () => { tip.hidden = true; });

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = (element, [right, down]) => {
    const middle = (of) => { const box = of.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; };
    const [x, y] = middle(element), others = [...element.parentElement.children].filter((other) => other.node && other !== element);
    let best = null, least = Infinity;
    for (const other of others) {
      const [ox, oy] = middle(other), ahead = (ox - x) * right + (oy - y) * down;
      if (ahead <= 1) continue;
      const aside = Math.abs((ox - x) * down) + Math.abs((oy - y) * right), distance = ahead + 2 * aside;
      if (distance < least) { least = distance; best = other; }
    }
    if (best) best.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const isTyping = event.target === search;
    if (event.key === "Escape") {
      if (search.value || picked !== null) { search.value = ""; picked = null; drawLegend(); find(); } else up();
    } else if (event.key === "/" && !isTyping) { search.focus(); search.select(); }
    else if (!isTyping && event.key === "Backspace") up();
    else if (!isTyping && target(event) && event.key in ARROWS) move(target(event), ARROWS[event.key]);
    else if (!isTyping && target(event) && (event.key === "Enter" || event.key === " ")) inside(target(event));
    else return;
    event.preventDefault();
  });
  search.addEventListener("input", find);

  for (const button of document.querySelectorAll("[data-measure]")) {
    button.onclick = () => {
      measure = button.dataset.measure;
      for (const other of document.querySelectorAll("[data-measure]")) other.setAttribute("aria-pressed", String(other === button));
      drawLegend();
      draw();
    };
  }
  if (data.layers.length) {
    for (const name of ["layer", "kind"]) {
      const button = make("button", "", "by " + name);
      button.type = "button";
      button.dataset.colour = name;
      button.setAttribute("aria-pressed", String(name === colour));
      button.onclick = () => {
        colour = name; picked = null;
        for (const other of $("colours").children) other.setAttribute("aria-pressed", String(other === button));
        drawLegend();
        draw();
      };
      $("colours").append(button);
    }
  } else $("colours").remove();

  drawLegend();
  go(top);
  new ResizeObserver(draw).observe(map);
})();
