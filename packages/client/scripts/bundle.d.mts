/** The bundled and minified code of the browser entry. */
export declare function bundle(): Promise<string>;
