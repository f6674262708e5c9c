'use strict';

// A plot as SVG. Drawn in numbers and text only, so that the same figures give the same file.

const echarts = require('echarts');
const { figure } = require('./text.js');

// Apart for the colour-blind too, and on white.
const BLUE = '#0969da';
const RED = '#cf3c0a';
const GREEN = '#1a7f5a';
const PURPLE = '#8250df';

const WIDTH = 760;
const HEIGHT = 440;
// No double quotes: the library does not escape them, and the file would be no XML.
const FONT = 'system-ui, -apple-system, Roboto, Helvetica, Arial, sans-serif';
const INK = '#24292f';
const FAINT = '#d0d7de';
const PALE = 0.35;

/**
 * @typedef {object} Axis
 * @property {string} name with its unit
 * @property {number} min
 * @property {number} max
 * @property {number[]} ticks where it is labelled
 * @property {boolean} [log]
 * @property {(value: number) => string} [label]
 */
/**
 * @typedef {object} Line
 * @property {string} name
 * @property {string} color
 * @property {boolean} [dashed]
 * @property {{ x: number, y: number, never?: boolean, pale?: boolean }[]} points `never`: it lies somewhere above
 */
/** @typedef {{ y: number, text: string, at?: 'Start' | 'Middle' | 'End' }} Mark `at`: where its text is */
/**
 * @typedef {object} Plot
 * @property {string} title
 * @property {string} subtitle
 * @property {Axis} x
 * @property {Axis} y
 * @property {Line[]} lines
 * @property {Mark[]} [marks] horizontal lines
 */

/**
 * @param {Plot} plot
 * @returns {string} SVG
 */
function draw({ title, subtitle, x, y, lines, marks = [] }) {
  const chart = echarts.init(null, undefined, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: FONT, color: INK },
    title: {
      text: title,
      subtext: subtitle,
      left: 12,
      top: 10,
      textStyle: { fontFamily: FONT, fontSize: 16, fontWeight: 600, color: INK },
      subtextStyle: { fontFamily: FONT, fontSize: 12, color: '#57606a' },
    },
    legend: {
      data: lines.map(({ name }) => name),
      top: 62,
      left: 56,
      silent: true,
      itemWidth: 34,
      itemGap: 18,
      textStyle: { fontFamily: FONT, fontSize: 12, color: INK },
    },
    // More names take two rows.
    grid: { left: 72, right: 34, top: lines.length > 5 ? 128 : 100, bottom: 56 },
    xAxis: { ...axis(x), nameLocation: 'middle', nameGap: 32 },
    yAxis: { ...axis(y), nameLocation: 'middle', nameGap: 52 },
    series: lines.map((line, index) => series(line, index === 0 ? marks : [])),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg.endsWith('\n') ? svg : `${svg}\n`;
}

/** @param {Axis} axis */
function axis({ name, min, max, ticks, log = false, label = String }) {
  return {
    type: /** @type {'log' | 'value'} */ (log ? 'log' : 'value'),
    name,
    min,
    max,
    nameTextStyle: { fontFamily: FONT, fontSize: 12, color: INK },
    axisLabel: { customValues: ticks, formatter: label, fontFamily: FONT, fontSize: 11, color: INK },
    axisTick: { customValues: ticks, show: true, lineStyle: { color: INK } },
    axisLine: { show: true, onZero: false, lineStyle: { color: INK } },
    splitLine: { show: true, lineStyle: { color: FAINT, width: 0.6 } },
  };
}

/**
 * @param {Line} line
 * @param {Mark[]} marks
 */
function series({ name, color, dashed = false, points }, marks) {
  /** @type {import('echarts').LineSeriesOption} */
  const option = {
    type: 'line',
    name,
    color,
    // Nobody points at a file: no styles for it.
    silent: true,
    emphasis: { disabled: true },
    symbol: dashed ? 'emptyCircle' : 'circle',
    symbolSize: 7,
    lineStyle: { width: 2, type: dashed ? 'dashed' : 'solid' },
    data: points.map(({ x, y, never, pale }) => ({
      value: [x, y],
      ...(pale ? { itemStyle: { opacity: PALE } } : {}),
      ...(never ? { symbol: 'triangle', symbolSize: 12 } : {}),
    })),
    markLine: {
      silent: true,
      symbol: 'none',
      data: marks.map(({ y, text, at = 'End' }) => ({
        yAxis: y,
        label: { formatter: text, position: /** @type {const} */ (`inside${at}Top`) },
      })),
      lineStyle: { color: '#57606a', type: 'dotted', width: 1.2 },
      label: { fontFamily: FONT, fontSize: 11, color: '#57606a' },
    },
  };
  return option;
}

/** @param {number} from @param {number} to powers of ten @param {string} name */
function decades(from, to, name) {
  const ticks = Array.from({ length: to - from + 1 }, (_, n) => Number(`1e${from + n}`));
  return { name, min: Number(`1e${from}`), max: Number(`1e${to}`), ticks, log: true, label: figure };
}

module.exports = { BLUE, GREEN, PURPLE, RED, decades, draw };
