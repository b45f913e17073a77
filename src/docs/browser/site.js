// The search of the documentation. Without this script the pages are found in their list.
const form = document.querySelector('form.search');
const field = form.querySelector('input');
const panel = form.querySelector('.found');
const status = panel.querySelector('p');
const list = panel.querySelector('ol');
const MOST = 20;
const AROUND = 60;

let loading = null;
form.hidden = false;
form.addEventListener('submit', (event) => {
  event.preventDefault();
  list.querySelector('a')?.click();
});
field.addEventListener('focus', () => void load().catch(() => undefined)); // said at the first word
field.addEventListener('input', () => void search());
form.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  panel.hidden = true;
  field.focus();
});
form.addEventListener('focusout', (event) => {
  if (!form.contains(event.relatedTarget)) panel.hidden = true;
});

// Links into the reference of the API, which was at this address before.
if (location.pathname === '/docs' && location.hash.startsWith('#/')) {
  location.replace(`/docs/reference${location.hash}`);
}

// What is wider than its place is scrolled by keyboard, too; the rest is no stop on the way.
const watching = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute('tabindex');
  }
});
for (const wide of document.querySelectorAll('pre, .table')) watching.observe(wide);

function load() {
  loading ??= fetch('/docs/search.json').then((answer) => {
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  });
  loading.catch(() => (loading = null)); // the next word tries again
  return loading;
}

async function search() {
  const asked = field.value;
  const words = asked.toLowerCase().split(/\s+/u).filter(Boolean);
  const phrase = phraseOf(words);
  if (words.length === 0) {
    panel.hidden = true;
    return;
  }
  let sections;
  try {
    sections = await load();
  } catch {
    show('The search could not be loaded.', []);
    return;
  }
  if (asked !== field.value) return; // more was typed meanwhile
  const found = sections
    .map((section) => ({ section, score: scoreOf(section, words, phrase) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score);
  const all = found.length === 1 ? '1 result' : `${found.length} results`;
  const shown = found.length > MOST ? `${all}, the first ${MOST} of them:` : `${all}:`;
  show(
    found.length === 0 ? 'Nothing was found.' : shown,
    found.slice(0, MOST).map(({ section }) => item(section, phrase, words[0])),
  );
}

/** The words one after another, whatever stands between them: `retry after` finds Retry-After. */
function phraseOf(words) {
  const plain = words.map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, '\\$&'));
  return new RegExp(plain.join('[^\\p{L}\\p{N}]+'), 'iu');
}

/** 0 unless every word is somewhere in the section; more where they are in its heading or side by side. */
function scoreOf({ page, heading, text }, words, phrase) {
  const places = [
    [heading.toLowerCase(), 10],
    [page.toLowerCase(), 3],
    [text.toLowerCase(), 1],
  ];
  let score = 0;
  for (const word of words) {
    const hits = places.filter(([place]) => place.includes(word));
    if (hits.length === 0) return 0;
    for (const [place, weight] of hits) score += place === word ? 2 * weight : weight;
  }
  if (words.length > 1 && (phrase.test(heading) || phrase.test(text))) score += 8;
  return score;
}

function item({ page, heading, url, text }, phrase, word) {
  const link = document.createElement('a');
  link.href = url;
  const title = document.createElement('strong');
  title.textContent = heading === page ? page : `${page}: ${heading}`;
  const excerpt = document.createElement('span');
  const [hit] = phrase.exec(text) ?? [word];
  const at = text.toLowerCase().indexOf(hit.toLowerCase());
  if (at < 0) excerpt.textContent = cut(text, 0, 2 * AROUND);
  else {
    const mark = document.createElement('mark');
    mark.textContent = text.slice(at, at + hit.length);
    const from = Math.max(0, at - AROUND);
    const end = at + hit.length;
    excerpt.append(`${from > 0 ? '…' : ''}${text.slice(from, at)}`, mark, cut(text, end, AROUND));
  }
  link.append(title, excerpt);
  link.addEventListener('click', () => (panel.hidden = true));
  const entry = document.createElement('li');
  entry.append(link);
  return entry;
}

function cut(text, from, length) {
  return `${text.slice(from, from + length)}${text.length > from + length ? '…' : ''}`;
}

function show(sentence, items) {
  status.textContent = sentence;
  list.replaceChildren(...items);
  panel.hidden = false;
}
