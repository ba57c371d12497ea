// Stands for the SDK's `mc/config` in the command-line build: what the environment variable XS_IPA_CONFIG says, as JSON.

const text = native('xs_cli_environment').call(undefined, 'XS_IPA_CONFIG');

export default { file: { root: './' }, xsIpa: text ? JSON.parse(text) : {} };
