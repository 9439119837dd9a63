/** What a package has that asks for environment values or secrets. */
declare var process: {
  /** The granted values; a secret is a placeholder, which becomes the secret in requests to where it may go. */
  readonly env: { readonly [name: string]: string | undefined };
};
