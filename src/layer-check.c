/* Nothing of its own: what is linked with it is the test. */
int main(void)
{
	return 0;
}
