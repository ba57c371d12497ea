// Stands for the SDK's `mc/config` in the command-line build: what the environment variable XS_IPA_CONFIG says, as JSON. It is
// asked for late: modules of the SDK that are preloaded look at the rest.

export default {
  file: { root: './' },
  tls: { DHE_RSA: false, ECDHE_RSA: true },
  get xsIpa() {
    const text = native('xs_cli_environment').call(undefined, 'XS_IPA_CONFIG');
    return text ? JSON.parse(text) : {};
  },
};
