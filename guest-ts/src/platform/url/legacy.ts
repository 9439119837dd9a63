/** The functions of `node:url` from before there was a class `URL`, in a module of their own: they are big. */

import url from 'url/url.js';

export const legacy = url;
