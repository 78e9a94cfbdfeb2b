/** Three significant digits, thousands apart: `1234.5` gives `1,230`, `0.04567` gives `0.0457`. */
export function formatNumber(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  const rounded = digits === 0 ? Number(value.toPrecision(3)) : value
  return rounded.toLocaleString('en', {
    minimumFractionDigits: Math.min(digits, 5),
    maximumFractionDigits: Math.min(digits, 5),
  })
}

/** `0.534` gives `0.53×`, `35.2` gives `35×`. */
export function formatRatio(ratio: number): string {
  return `${ratio >= 10 ? Math.round(ratio).toLocaleString('en') : ratio.toFixed(2)}×`
}
