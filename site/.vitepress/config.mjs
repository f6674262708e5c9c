// The documentation site: the documents of the repository as they are, with search. npm run docs builds it in site/.vitepress/dist.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Where links to files that are no documents lead: set by the workflow that deploys the site. */
const REPOSITORY = process.env.REPOSITORY_URL;

/** The page of a folder. */
const README = /\bREADME\.md(?=#|$)/;

const page = (text, link) => ({ text, link });

/** The sections of docs/README.md: the first link of each row of a table, or all links of a paragraph. */
const sidebar = readFileSync(path.join(ROOT, 'docs/README.md'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [text, ...lines] = section.split('\n');
    const links = lines.flatMap((line) => {
      const all = [...line.matchAll(/\[([^\]]+)\]\(([^)]+)\.md\)/g)];
      return line.startsWith('|') ? all.slice(0, 1) : all;
    });
    return { text, items: links.map(([, name, file]) => page(name, path.posix.join('/docs', file))) };
  });

export default defineConfig({
  title: 'clustershazbot',
  description: 'Which of your Node.js servers are up: gossip membership for Express, Nest and Fastify.',
  base: process.env.BASE_PATH ?? '/',
  lang: 'en',
  srcDir: '..',
  srcExclude: ['**/node_modules/**', '{target,__test__,harness,.github}/**', 'THIRD-PARTY-LICENSES.md'],
  rewrites: (id) => id.replace(README, 'index.md'),
  cleanUrls: true,
  lastUpdated: true,
  // Links to code lead out of the site. Any other dead link fails the build.
  ignoreDeadLinks: [(url) => existsSync(path.join(ROOT, url.replace(/^[./]+/, '')))],
  // The documents are outside of this folder, and its packages are not found from there.
  vite: { resolve: { alias: { vue: path.join(ROOT, 'site/node_modules/vue') } } },
  markdown: {
    // GitHub's anchors, which the links in the documents have.
    anchor: {
      slugify: (title) =>
        title
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
    },
    config(markdown) {
      const { link_open: open } = markdown.renderer.rules;
      markdown.renderer.rules.link_open = (tokens, index, options, env, self) => {
        const href = tokens[index].attrGet('href') ?? '';
        const isLocal = !/^(\w+:|#|\/)/.test(href) && !/\.md(#|$)/.test(href);
        const file = path.join(path.dirname(env.path), href);
        if (isLocal && existsSync(path.join(file, 'README.md'))) {
          tokens[index].attrSet('href', `${href.replace(/\/$/, '')}/index.md`);
        } else if (isLocal && REPOSITORY && existsSync(file)) {
          tokens[index].attrSet('href', `${REPOSITORY}/blob/main/${path.relative(ROOT, file)}`);
        }
        if (README.test(href)) tokens[index].attrSet('href', href.replace(README, 'index.md'));
        return open ? open(tokens, index, options, env, self) : self.renderToken(tokens, index, options);
      };
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      page('Guide', '/docs/getting-started'),
      page('API', '/docs/api'),
      page('Examples', '/EXAMPLES'),
      page('Changes', '/CHANGELOG'),
    ],
    socialLinks: REPOSITORY ? [{ icon: 'github', link: REPOSITORY }] : [],
    sidebar,
  },
});
