// VitePress's own theme, with enough contrast for axe.

import theme from 'vitepress/theme';
import './style.css';

export default theme;
