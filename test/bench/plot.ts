/** A bar for each row, as an SVG that is readable on light and dark pages. */
export function plot(rows: readonly { name: string; cpu: number }[]): string {
  const [left, bar, gap, width] = [330, 18, 8, 760];
  const height = rows.length * (bar + gap) + 40;
  const scale = (width - left - 70) / Math.max(...rows.map(({ cpu }) => cpu));
  const text = (x: number, y: number, words: string, anchor: string) =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;
  const bars = rows.map(({ name, cpu }, at) => {
    const y = 30 + at * (bar + gap);
    const fill = /requireToken|the service/.test(name) ? "#6366f1" : "#9ca3af";
    const length = (cpu * scale).toFixed(1);
    return [
      text(left - 10, y + 13, name, "end"),
      `<rect x="${left}" y="${y}" width="${length}" height="${bar}" rx="2" fill="${fill}"/>`,
      text(left + Number(length) + 8, y + 13, `${cpu.toFixed(2)} ×`, "start"),
    ].join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13" fill="#808691">
${text(10, 16, "CPU time of the server per request, relative to bare Express 5", "start")}
${bars.join("\n")}
</svg>
`;
}
