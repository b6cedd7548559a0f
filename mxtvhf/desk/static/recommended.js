// The sentence of a confirmation that another position than the recommended one is chosen. The menu begins with the
// recommended position.

export function notRecommended(menu) {
  const [chosen, best] = [menu.selectedOptions[0].dataset.name, menu.options[0].dataset];
  return `${chosen} is not the recommended position. Recommended: ${best.name}, ${best.place}.`;
}
