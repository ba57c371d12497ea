// Which HTTP class a build uses. firmware/manifest_sdk_http.json puts http-sdk.ts in this module's place.
export { XsHttpClient as HttpClass } from '../http-client.js';
