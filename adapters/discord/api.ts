/** The address as the SDK wants it: without the version. */
export function apiOf(apiUrl: string | undefined): { readonly api?: string } {
  return apiUrl === undefined ? {} : { api: apiUrl.replace(/\/+$/, "") };
}
