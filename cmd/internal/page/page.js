
"use strict";
(() => {
  const controls = document.getElementById("controls");
  const names = ["query", "access", "kind", "service", "resource"];
  const fields = names.map((name) => document.getElementById(name)).filter((field) => field !== null);
  const groups = [...document.querySelectorAll("tbody[data-service]")].map((body) => ({
    body,
    rows: [...body.querySelectorAll("tr[data-access]")].map((row) => ({
      row,
      text: (body.dataset.service + "/" + row.textContent).toLowerCase().replace(/\s+/g, " "),
      access: row.dataset.access,
      kind: row.dataset.kind,
      service: body.dataset.service,
      resource: row.dataset.resources.split(" "),
    })),
  }));
  const total = groups.reduce((sum, group) => sum + group.rows.length, 0);

  const matches = (entry, wanted) => fields.every((field) => {
    const value = wanted[field.id];
    if (!value) return true;
    if (field.id === "query") return value.toLowerCase().split(/\s+/).every((word) => entry.text.includes(word));
    if (field.id === "resource") return entry.resource.includes(value);
    return entry[field.id] === value;
  });

  const apply = () => {
    const wanted = Object.fromEntries(fields.map((field) => [field.id, field.value.trim()]));
    let shown = 0;
    for (const group of groups) {
      let inGroup = 0;
      for (const entry of group.rows) {
        const isShown = matches(entry, wanted);
        entry.row.hidden = !isShown;
        if (isShown) inGroup++;
      }
      group.body.hidden = inGroup === 0;
      shown += inGroup;
    }
    document.getElementById("shown").textContent = shown + " of " + total + " procedures";
    const set = Object.entries(wanted).filter(([, value]) => value);
    try {
      history.replaceState(null, "", set.length ? "#" + new URLSearchParams(set) : location.pathname + location.search);
    } catch {
      // A page in a frame may not change its address.
    }
  };

  // A link to the page can carry what is searched for.
  const initial = new URLSearchParams(location.hash.slice(1));
  for (const field of fields) {
    const value = initial.get(field.id);
    if (value !== null) field.value = value;
    field.addEventListener("input", apply);
  }
  document.getElementById("reset").addEventListener("click", () => {
    for (const field of fields) field.value = "";
    apply();
    document.getElementById("query").focus();
  });
  controls.hidden = false;
  apply();
})();
