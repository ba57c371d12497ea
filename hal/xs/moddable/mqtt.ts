// Which MQTT class a build uses. firmware/manifest_sdk_mqtt.json puts mqtt-sdk.ts in this module's place.
export { XsMqttClient as MqttClass } from '../mqtt-client.js';
