"""The style sheet of a timeline: light and dark, from a phone's width on."""

STYLE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1b1b; --faint: #595959; --line: #c9ccd1; --shade: #f1f2f4; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16181c; --ink: #e8e8e8; --faint: #a8abb2; --line: #4a4f57; --shade: #23262c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1rem 3rem; max-width: 66rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.45 system-ui, "DejaVu Sans", Verdana, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0; }
p { margin: .3rem 0; overflow-wrap: anywhere; }
.faint { color: var(--faint); font-size: .9rem; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; list-style: none; margin: 1rem 0;
  padding: .6rem .8rem; background: var(--shade); border-radius: .4rem; }
.legend li { display: flex; align-items: center; gap: .4rem; overflow-wrap: anywhere; }
.legend i { flex: none; width: 1.1rem; height: 1.1rem; border-radius: .2rem; }
.unsure { background: repeating-linear-gradient(45deg, #8c8c8c 0 4px, #b9b9b9 4px 8px); }
.face { border-top: 1px solid var(--line); padding: .9rem 0; margin-top: .9rem; }
.head { display: flex; gap: .8rem; align-items: center; margin-bottom: .6rem; }
.head img { width: 3.5rem; height: 3.5rem; object-fit: cover; border-radius: .4rem; flex: none; }
.plot { margin: 0 .6rem 0 2.9rem; position: relative; }
.strip { position: relative; height: 1.5rem; background: var(--shade); margin-bottom: .25rem; }
.strip div { position: absolute; top: 0; bottom: 0; overflow: hidden; white-space: nowrap;
  font-size: .8rem; line-height: 1.5rem; text-align: center; }
.strip div:not(.thin) { border-right: 1px solid var(--paper); }
.strip .unsure { color: #000; }
.strip span { display: none; }
.strip .unsure span { background: #d6d6d6; padding: 0 .25rem; border-radius: .2rem; }
.strip .fits-phone span { display: inline; }
.area { position: relative; height: 7.5rem; border-left: 1px solid var(--line);
  border-bottom: 1px solid var(--line); background: var(--shade); }
.area svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.area path { stroke: var(--paper); stroke-width: .75px; vector-effect: non-scaling-stroke; }
.area .bare path { stroke: none; }
.level { position: absolute; right: calc(100% + .4rem); transform: translateY(-50%);
  font-size: .8rem; color: var(--faint); }
.axis { position: relative; height: 1.5rem; }
.tick { position: absolute; top: .45rem; transform: translateX(-50%); font-size: .8rem;
  line-height: 1rem; color: var(--faint); }
.tick::before { content: ""; position: absolute; left: 50%; top: -.45rem; height: .35rem;
  border-left: 1px solid var(--line); }
details { margin-top: .4rem; }
summary { cursor: pointer; color: var(--faint); font-size: .9rem; }
table { border-collapse: collapse; margin-top: .4rem; font-size: .9rem; }
th, td { text-align: left; padding: .15rem .9rem .15rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
@media (min-width: 46rem) { .strip .fits span { display: inline; } }
@media (min-width: 62rem) { .strip .fits-large span { display: inline; } }
@media (max-width: 45.99rem) { .tick:nth-child(even) { display: none; } }
@media print { :root { --paper: #fff; --ink: #000; --faint: #444; --line: #bbb; --shade: #f2f2f2; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .face { break-inside: avoid; } }
"""
