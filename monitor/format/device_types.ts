/**
 * Device types and their properties as text.
 *
 * @module
 */
import { DEVICE_CATEGORIES, type DeviceType, propertyHelp } from "../../devices/bus/mod.ts";

/** All types that users can make: `-device help`. */
export function deviceTypesText(all: readonly DeviceType[]): string {
  const types = all.filter(({ userCreatable }) => userCreatable);
  const sections = DEVICE_CATEGORIES.flatMap((category) => {
    const rows = types.filter((type) => type.category === category).map(deviceRow);
    return rows.length === 0 ? [] : [`${category} devices:\n${rows.join("")}`];
  });
  return sections.join("\n");
}

function deviceRow({ name, busType, alias, description }: DeviceType): string {
  return `name "${name}"${busType === undefined ? "" : `, bus ${busType}`}` +
    `${alias === undefined ? "" : `, alias "${alias}"`}` +
    `${description === undefined ? "" : `, desc "${description}"`}\n`;
}

const COLUMN = 24;

/** The properties of one type: `-device X,help`. */
export function deviceTypeText(type: DeviceType): string {
  const rows = propertyHelp(type).map(({ name, typeName, description, defaultText }) => {
    const head = `  ${name}=<${typeName}>`;
    if (description === undefined && defaultText === undefined) return `${head}\n`;
    const tail = defaultText === undefined ? "" : ` (default: ${defaultText})`;
    return `${head.padEnd(COLUMN)} - ${description ?? ""}${tail}\n`;
  });
  return rows.length === 0 ? `There are no options for ${type.name}.\n` : `${type.name} options:\n${rows.join("")}`;
}
