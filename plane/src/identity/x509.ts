// The library that signs certificates, and what it wants loaded before it. Imported only when something is signed.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

export { x509 };
