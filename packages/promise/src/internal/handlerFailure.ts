/** What a handler threw, in the form in which pipelines look policies up: by a tag. */

export class HandlerFailure extends Error {
  /** The name of the error, such as `TypeError`. */
  readonly _tag: string
  readonly thrown: unknown
  constructor(thrown: unknown) {
    const isError = thrown instanceof Error
    super(
      isError ? thrown.message : String(thrown),
      isError && thrown.cause !== undefined ? { cause: thrown.cause } : {}
    )
    this.thrown = thrown
    this._tag = isError ? thrown.name : typeof thrown
    this.name = this._tag
    if (isError && thrown.stack !== undefined) this.stack = thrown.stack
  }
}
