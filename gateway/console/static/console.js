'use strict';
// The token stands in the field and in the header of one request, and nowhere else: no cookie, no storage, no URL.
const field = (id) => document.getElementById(id);
const form = field('valg');
const content = field('innhold');
const first = content.cloneNode(true);
let asked = 0;

function show(nodes, title) {
  content.replaceChildren(...nodes);
  document.title = title + ' – Sluse';
  content.focus();
}

function plain(title, text) {
  const heading = document.createElement('h1');
  const line = document.createElement('p');
  heading.textContent = title;
  line.textContent = text;
  line.className = 'note';
  show([heading, line], title);
}

async function fetchPage(token, id, document_) {
  const options = { headers: { Authorization: 'Bearer ' + token }, cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' };
  if (document_ !== '') {
    return fetch('/console/view', { ...options, method: 'POST', headers: { ...options.headers, 'Content-Type': 'application/xml' }, body: document_ });
  }
  return fetch('/console/messages/' + encodeURIComponent(id), options);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const turn = ++asked;
  const id = field('melding').value.trim();
  const pasted = field('dokument').value.trim().replace(/^<\?xml[^>]*\?>/, ''); // it is sent as UTF-8, whatever it was
  if (pasted === '' && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    plain('Meldingen kan ikke vises', 'Oppgi meldingens id, eller lim inn en melding.');
    return;
  }
  try {
    const answer = await fetchPage(field('token').value.trim(), id, pasted);
    const text = await answer.text();
    if (turn !== asked) {
      return;
    }
    // The page is text that the server has escaped; the policy of this one lets no script of it run either.
    const unstyled = text.replace(/<style>[^<]*<\/style>/, ''); // this page has its own style sheet
    const main = new DOMParser().parseFromString(unstyled, 'text/html').querySelector('main');
    if (main === null) {
      throw new Error('no page');
    }
    const nodes = [...main.childNodes].map((n) => document.importNode(n, true));
    show(nodes, main.querySelector('h1').textContent);
  } catch {
    plain('Meldingen kan ikke vises', 'Tjenesten svarer ikke. Prøv igjen om litt.');
  }
});

form.addEventListener('reset', () => {
  asked++;
  show([...first.cloneNode(true).childNodes], 'Vis en melding');
});
