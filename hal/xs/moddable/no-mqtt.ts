/** Stands for mqtt.ts in a build without MQTT. */
export const MqttClass = undefined;
