import type { LinkMaker } from '../links.js';

/** Stands for mqtt.ts in a build without it (firmware/manifest_no_mqtt.json). */
export const mqttLink: LinkMaker | undefined = undefined;
