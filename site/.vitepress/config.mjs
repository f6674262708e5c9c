// The documentation site: the documents of the repository as they are, with search. npm run docs builds it in site/.vitepress/dist.

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Where links to files that are no documents lead: set by the workflow that deploys the site. */
const REPOSITORY = process.env.REPOSITORY_URL;

/** The page of a folder. */
const README = /\bREADME\.md(?=#|$)/;

const page = (text, link) => ({ text, link });
const platforms = readdirSync(path.join(ROOT, 'docs/deploy')).map((name) => path.basename(name, '.md'));

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
    sidebar: [
      {
        text: 'Begin',
        items: [
          page('Introduction', '/'),
          page('Getting started', '/docs/getting-started'),
          page('Configuration', '/docs/configuration'),
          page('Production checklist', '/docs/production-checklist'),
          page('In production', '/docs/production'),
          page('Install problems', '/docs/install-problems'),
          page('Upgrading', '/docs/upgrading'),
          page('All pages', '/docs/'),
        ],
      },
      {
        text: 'Use',
        items: [
          page('Calling and owning', '/docs/calling-and-owning'),
          page('Tags', '/docs/tags'),
          page('Events and metrics', '/docs/events-and-metrics'),
          page('Testing your program', '/docs/testing-your-program'),
          page('Examples', '/EXAMPLES'),
          page('API', '/docs/api'),
        ],
      },
      {
        text: 'Where it runs',
        items: [
          ...platforms.map((name) => page(name, `/docs/deploy/${name}`)),
          page('Master list', '/docs/master-list'),
        ],
      },
      {
        text: 'Operate',
        items: [
          page('Troubleshooting', '/docs/troubleshooting'),
          page('Errors and warnings', '/docs/errors'),
          page('Command line', '/docs/cli'),
          page('Page', '/docs/page'),
          page('Security', '/docs/security'),
        ],
      },
      {
        text: 'Understand',
        items: [
          page('Guarantees', '/docs/guarantees'),
          page('How it works', '/docs/how-it-works'),
          page('Ownership', '/docs/ownership'),
          page('Protocol', '/docs/protocol'),
          page('For contributors', '/docs/contributors/architecture'),
        ],
      },
    ],
  },
});
