// The version of everything that is built from this repository. A test holds it equal to package.json's.
export const VERSION = '0.1.0';
