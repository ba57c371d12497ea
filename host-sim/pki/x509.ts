// The library asks for this polyfill when it is loaded, so that nobody here imports it any other way.
import 'reflect-metadata';

export * from '@peculiar/x509';
