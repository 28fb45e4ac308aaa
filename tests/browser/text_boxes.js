// Collects what of a page holds text and is shown: lines of text, labels of figures, areas that
// scroll. `inset`: share of a label's height that its letters leave free above and beneath.
(inset) => {
  const found = [];
  // The nearest ancestor that hides or scrolls what leaves it; none stands for the page.
  const holders = new Map();
  const holder = (element) => {
    const up = element.parentElement;
    if (!up || up === document.body) return null;
    if (!holders.has(up)) {
      const outermost = up.ownerSVGElement === null;  // an <svg> hides what leaves it
      const holds = outermost || getComputedStyle(up).overflowX !== 'visible';
      holders.set(up, holds ? up : holder(up));
    }
    return holders.get(up);
  };
  const room = (element) => {
    const up = holder(element) ?? document.scrollingElement;
    const style = getComputedStyle(up), box = up.getBoundingClientRect();
    if (up !== document.scrollingElement && !/auto|scroll/.test(style.overflowX + style.overflowY))
      return [box.left, box.top, box.right, box.bottom];
    const page = up === document.scrollingElement;
    const left = (page ? 0 : box.left) - up.scrollLeft, top = (page ? 0 : box.top) - up.scrollTop;
    return [left, top, left + (page ? up.clientWidth : up.scrollWidth), top + up.scrollHeight];
  };
  const visible = (element) => element.checkVisibility({visibilityProperty: true});
  const add = (text, group, element, rect, corners) => {
    if (rect.width > 0 && rect.height > 0) {
      const edges = [rect.left, rect.top, rect.right, rect.bottom];
      found.push({text: text.trim(), group, edges, room: room(element), corners});
    }
  };
  // A label, turned as it is, less a share of its height above and beneath.
  const quad = (text, share) => {
    const box = text.getBBox(), place = text.getScreenCTM(), rise = share * box.height;
    const [top, bottom] = [box.y + rise, box.y + box.height - rise];
    const right = box.x + box.width;
    return [[box.x, top], [right, top], [right, bottom], [box.x, bottom]].map(([x, y]) => {
      const point = new DOMPoint(x, y).matrixTransform(place);
      return [point.x, point.y];
    });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest('svg, style, script') || !visible(parent)) continue;
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) add(node.data, '', parent, rect, []);
  }
  document.querySelectorAll('svg').forEach((svg, number) => {
    const group = `svg ${number} ${svg.querySelector('title')?.textContent ?? ''}`;
    for (const text of svg.querySelectorAll('text')) {
      if (!text.textContent.trim() || !visible(text)) continue;
      const letters = quad(text, inset), xs = [], ys = [];
      for (const [x, y] of quad(text, inset / 2)) { xs.push(x); ys.push(y); }
      const [left, right] = [Math.min(...xs), Math.max(...xs)];
      const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
      const rect = {left, top, right, bottom, width: right - left, height: bottom - top};
      add(text.textContent, group, text, rect, letters);
    }
  });
  for (const part of document.querySelectorAll(':not(svg *)')) {
    const scrolls = /auto|scroll/.test(getComputedStyle(part).overflowX);
    if (!scrolls || part.contains(document.body) || !visible(part)) continue;
    add(part.getAttribute('aria-label') || part.tagName, 'area', part,
        part.getBoundingClientRect(), []);
  }
  return found;
}
